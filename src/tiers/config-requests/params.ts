import type { Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { definitionsOf } from '../../parameters/definitions.js'
import { missingRequired } from '../../parameters/missing-required.js'
import { readParams } from '../../parameters/read-values.js'
import type { ParamWrite } from '../../parameters/schema.js'
import { writeValues } from '../../parameters/write-values.js'
import type { Keyring } from '../../sealing.js'
import type { RequestRow } from './request-row.js'

export type TierParameterScope = 'tier1' | 'tier2'
/** A reseller is asked for the parameters of its own level. */
export const scopeOf = (tier_level: number): TierParameterScope => tier_level === 2 ? 'tier2' : 'tier1'

interface Writing { mode: 'strict' | 'validate', side?: 'vendor' | 'provider', actor: string | null }

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
  const definitions = await definitionsOf(trx, account_id, product_id, [scopeOf(tier_level)])
  const { changed } = await writeValues(trx, keyring, { account_id, owner_id: id, definitions, mode, side, path: 'params' }, writes)
  if (changed.length > 0) await recordEvent(trx, { account_id, type: 'tier_config_request.parameters_written', subject_id: id, actor, data: { parameters: changed } })
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
