import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { updateRequestRow, type Actor, type RequestRow, type Service } from './request-row.js'
import { rewriteDraft } from './rewrite-draft.js'
import type { RequestChange } from './bodies/schema.js'
import { assertWritable } from './transitions.js'
import { writeParams } from './write-params.js'

/**
 * Writes parameters and the note of a locked request; of a draft its maker may write all that it was made of. What is not given stays, and
 * nothing given changes nothing. The first thing that the vendor writes assigns the request to whoever wrote it.
 *
 * @throws Problem illegal-transition
 * @throws Problem validation-failed
 */
export async function updateRequest (
  trx: Transaction<Database>, service: Service, request: RequestRow, actor: Actor, change: RequestChange
): Promise<RequestRow> {
  assertWritable(request, actor.side)
  if (request.status === 'draft') await rewriteDraft(trx, request, actor, change)
  const written = await writeParams(trx, service.keyring, request, actor, change.asset?.params ?? [])
  const noted = change.note == null || change.note === request.note ? {} : { note: change.note }
  const assigned = actor.side === 'vendor' && request.assignee_id === null ? { assignee_id: actor.key_id } : {}
  const answered = actor.side === 'provider' && request.status === 'inquiring' && written.length > 0 ? { answered: true } : {}
  const fields = [...Object.keys({ ...noted, ...assigned }), ...(request.status === 'draft' ? rewritten(change) : [])]
  if (fields.length > 0) await recordEvent(trx, { account_id: request.account_id, type: 'request.updated', subject_id: request.id, actor: actor.key_id, data: { fields } })
  if (written.length === 0 && Object.keys({ ...noted, ...assigned }).length === 0) return request
  return updateRequestRow(trx, request, { ...noted, ...assigned, ...answered })
}

/** What is given of a draft beside its note and parameters. */
function rewritten ({ asset, planned_date, marketplace, external_attributes }: RequestChange): string[] {
  const { params, ...given } = asset ?? {}
  return Object.entries({ planned_date, marketplace, external_attributes, ...given }).filter(([, value]) => value != null).map(([field]) => field)
}
