import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import { openAccountRequests } from '../account-requests/open.js'
import { checkAccount, type AccountData } from './check-account.js'
import { refuseTaken } from './refuse-taken.js'
import type { AccountChange } from './schema.js'
import { writeVersion } from './write-version.js'

export interface Change { provider_id: string, id: string, change: AccountChange, path: string }

/**
 * Changes a tier account: a new version, readable at once, and one account request for each product that it was sold, so that its vendor
 * knows. Returns their ids; undefined when the data is what it was, and nothing was done.
 *
 * @throws Problem tier-account-not-found
 * @throws Problem validation-failed
 * @throws Problem tier-account-exists
 */
export async function changeAccount (trx: Transaction<Database>, { provider_id, id, change, path }: Change, actor: string): Promise<string[] | undefined> {
  const row = await trx.selectFrom('tier_accounts').select(['version', 'type', 'name', 'external_id', 'external_uid', 'tax_id'])
    .select((account) => account.ref('contact_info').$castTo<AccountData['contact_info']>().as('contact_info'))
    .where('provider_id', '=', provider_id).where('id', '=', id).where('deleted_at', 'is', null).forNoKeyUpdate().executeTakeFirst()
  if (row === undefined) throw new Problem('tier-account-not-found')
  const { type, version, ...before } = row
  const after = checkAccount(change, path, before)
  const fields = (Object.keys(after) as Array<keyof AccountData>).filter((field) => !isSame(before[field], after[field]))
  if (fields.length === 0) return undefined

  await refuseTaken(trx, { ...after, provider_id, type, id })
  await trx.updateTable('tier_accounts')
    .set({ ...after, contact_info: JSON.stringify(after.contact_info), version: version + 1, updated_at: sql<Date>`now()` })
    .where('provider_id', '=', provider_id).where('id', '=', id).execute()
  await writeVersion(trx, provider_id, id)
  await recordEvent(trx, { account_id: provider_id, type: 'tier_account.updated', subject_id: id, actor, data: { version: version + 1, fields } })
  return openAccountRequests(trx, { provider_id, tier_account_id: id, version: version + 1 }, actor)
}

/** jsonb keeps its own order of members. */
function isSame (one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every((name) => isSame((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]))
}
