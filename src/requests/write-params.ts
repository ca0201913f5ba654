import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { assertUnique } from '../parameters/assert-unique.js'
import { lockDefinitionsOf } from '../parameters/definitions.js'
import type { ParamWrite } from '../parameters/schema.js'
import { writeDefaults } from '../parameters/write-defaults.js'
import { writeValues } from '../parameters/write-values.js'
import type { Keyring } from '../sealing.js'
import type { Actor, RequestRow } from './request-row.js'
import { OPEN } from './transitions.js'

interface Writing {
  /** in a draft a wrong value is kept with what is wrong about it; anywhere else it is refused, unless it is said here */
  mode?: 'strict' | 'validate'
  /** the request begins with what buyers need not say */
  with_defaults?: boolean
}

/**
 * Writes values and value errors of a request's parameters, and returns the names of those that changed.
 *
 * @throws Problem validation-failed
 */
export async function writeParams (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, writes: readonly ParamWrite[],
  { mode = request.status === 'draft' ? 'validate' : 'strict', with_defaults = false }: Writing = {}
): Promise<string[]> {
  if (writes.length === 0 && !with_defaults) return []
  const { account_id, product_id, id } = request
  const owner = { account_id, owner_id: id }
  const definitions = await lockDefinitionsOf(trx, account_id, product_id, ['asset'])
  if (with_defaults) await writeDefaults(trx, keyring, owner, definitions)
  const side = actor.side === 'vendor' ? 'vendor' : 'provider'
  const { changed } = await writeValues(trx, keyring, { ...owner, definitions, mode, side, others: othersOf(request) }, writes)
  if (changed.length > 0) await recordEvent(trx, { account_id, type: 'request.parameters_written', subject_id: id, actor: actor.key_id, data: { parameters: changed } })
  return changed
}

/** @throws Problem validation-failed  another asset has got a value of this draft */
export async function assertStillUnique (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<void> {
  const { account_id, product_id, id } = request
  const definitions = await lockDefinitionsOf(trx, account_id, product_id, ['asset'])
  await assertUnique(trx, keyring, { account_id, owner_id: id, definitions, others: othersOf(request) })
}

/** Other assets, but for terminated ones, and the requests that are under way on them. */
function othersOf ({ asset_id }: RequestRow): RawBuilder<SqlBool> {
  return sql`(
    exists (select from assets a where a.account_id = v.account_id and a.id = v.owner_id and a.id <> ${asset_id} and a.status <> 'terminated')
    or exists (select from requests r where r.account_id = v.account_id and r.id = v.owner_id and r.asset_id <> ${asset_id} and r.status = any(${OPEN}::text[])))`
}
