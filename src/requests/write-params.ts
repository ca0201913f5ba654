import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { definitionsOf } from '../parameters/definitions.js'
import type { ParamWrite } from '../parameters/schema.js'
import { writeValues } from '../parameters/write-values.js'
import type { Keyring } from '../sealing.js'
import type { Actor, RequestRow } from './request-row.js'

/**
 * Writes values and value errors of a request's parameters, and returns the names of those that changed. In a draft a wrong value is kept
 * with what is wrong about it; anywhere else it is refused, unless `mode` says otherwise.
 *
 * @throws Problem validation-failed
 */
export async function writeParams (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, writes: readonly ParamWrite[],
  mode: 'strict' | 'validate' = request.status === 'draft' ? 'validate' : 'strict'
): Promise<string[]> {
  if (writes.length === 0) return []
  const { account_id, product_id, id } = request
  const definitions = await definitionsOf(trx, account_id, product_id, ['asset'])
  const side = actor.side === 'vendor' ? 'vendor' : 'provider'
  const { changed } = await writeValues(trx, keyring, { account_id, owner_id: id, definitions, mode, side }, writes)
  if (changed.length > 0) await recordEvent(trx, { account_id, type: 'request.parameters_written', subject_id: id, actor: actor.key_id, data: { parameters: changed } })
  return changed
}
