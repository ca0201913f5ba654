import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { definitionsOf } from '../parameters/definitions.js'
import { missingRequired } from '../parameters/missing-required.js'
import { readParams } from '../parameters/read-values.js'
import type { Keyring } from '../sealing.js'
import type { RequestRow } from './request-row.js'

/** The names of the required parameters of a phase that a request leaves empty. */
export async function missingOf (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, phase: 'ordering' | 'fulfillment'): Promise<string[]> {
  const { account_id, id, product_id } = request
  const definitions = await definitionsOf(trx, account_id, product_id, ['asset'])
  if (!definitions.some((definition) => definition.phase === phase && definition.constraints.required === true)) return []
  const params = await readParams(trx, keyring, { account_id, owner_id: id, product_id }, { scopes: ['asset'], side: 'vendor' })
  return missingRequired(definitions, params, phase)
}
