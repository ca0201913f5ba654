import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { assertUnique } from '../../parameters/assert-unique.js'
import { definitionsOf, lockDefinitionsOf } from '../../parameters/definitions.js'
import { missingRequired } from '../../parameters/missing-required.js'
import { readParams } from '../../parameters/read-values.js'
import type { ParamWrite } from '../../parameters/schema.js'
import { writeDefaults } from '../../parameters/write-defaults.js'
import { writeValues, type Target } from '../../parameters/write-values.js'
import type { Keyring } from '../../sealing.js'
import type { RequestRow } from './request-row.js'
import { OPEN, type Actor } from './transitions.js'

type TierParameterScope = 'tier1' | 'tier2'
/** A reseller is asked for the parameters of its own level. */
export const scopeOf = (tier_level: number): TierParameterScope => tier_level === 2 ? 'tier2' : 'tier1'

/** Who asks for a set-up may give every value: the vendor looks before it approves. */
export const proposerOf = ({ side }: Actor): Target['side'] => side === 'vendor' ? 'vendor' : 'proposer'

interface Writing { mode: 'strict' | 'validate', side: Target['side'], actor: string | null }

/**
 * Writes values and value errors of a locked request.
 *
 * @throws Problem validation-failed
 */
export async function writeParams (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, writes: readonly ParamWrite[] | null | undefined, { mode, side, actor }: Writing
): Promise<void> {
  if (writes == null || writes.length === 0) return
  const { account_id, id, product_id, tier_level } = request
  const definitions = await lockDefinitionsOf(trx, account_id, product_id, [scopeOf(tier_level)])
  const { changed } = await writeValues(trx, keyring, { account_id, owner_id: id, definitions, mode, side, others: othersOf(request), path: 'params' }, writes)
  if (changed.length > 0) await recordEvent(trx, { account_id, type: 'tier_config_request.parameters_written', subject_id: id, actor, data: { parameters: changed } })
}

/** Gives a new request to set up a reseller the defaults of its level. */
export async function giveDefaults (trx: Transaction<Database>, keyring: Keyring, { account_id, id, product_id, tier_level }: RequestRow): Promise<void> {
  await writeDefaults(trx, keyring, { account_id, owner_id: id }, await lockDefinitionsOf(trx, account_id, product_id, [scopeOf(tier_level)]))
}

/** @throws Problem validation-failed  another configuration has got a value of this draft */
export async function assertStillUnique (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<void> {
  const { account_id, id, product_id, tier_level } = request
  const definitions = await lockDefinitionsOf(trx, account_id, product_id, [scopeOf(tier_level)])
  await assertUnique(trx, keyring, { account_id, owner_id: id, definitions, others: othersOf(request), path: 'params' })
}

/** Other configurations, and the requests that are under way on them. */
function othersOf ({ tier_config_id }: RequestRow): RawBuilder<SqlBool> {
  return sql`(
    exists (select from tier_configs c where c.account_id = v.account_id and c.id = v.owner_id and c.id <> ${tier_config_id})
    or exists (select from tier_config_requests r where r.account_id = v.account_id and r.id = v.owner_id and r.tier_config_id <> ${tier_config_id}
      and r.status = any(${OPEN}::text[])))`
}

/** What is wrong with the values of a request, a sentence each: a draft keeps such. */
export async function faultsOf (db: Reader, keyring: Keyring, { account_id, id, product_id, tier_level }: RequestRow): Promise<string[]> {
  const params = await readParams(db, keyring, { account_id, owner_id: id, product_id }, { scopes: [scopeOf(tier_level)], side: 'vendor' })
  return params.filter(({ value_error }) => value_error !== '').map(({ id, value_error }) => `params.${id}: ${value_error}`)
}

/** The names of the required parameters of a phase that a request leaves empty. */
export async function missingOf (db: Reader, keyring: Keyring, request: RequestRow, phase: 'ordering' | 'fulfillment'): Promise<string[]> {
  const { account_id, id, product_id, tier_level } = request
  const scopes = [scopeOf(tier_level)]
  const definitions = await definitionsOf(db, account_id, product_id, scopes)
  return missingRequired(definitions, await readParams(db, keyring, { account_id, owner_id: id, product_id }, { scopes, side: 'vendor' }), phase)
}
