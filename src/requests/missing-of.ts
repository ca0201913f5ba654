import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { definitionsOf } from '../parameters/definitions.js'
import { missingRequired } from '../parameters/missing-required.js'
import { storedValues } from '../parameters/stored-values.js'
import type { Keyring } from '../sealing.js'
import type { RequestRow } from './request-row.js'

/** The names of the required parameters of a phase that a request leaves empty. */
export async function missingOf (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, phase: 'ordering' | 'fulfillment'): Promise<string[]> {
  const { account_id, id, product_id } = request
  const definitions = await definitionsOf(trx, account_id, product_id, ['asset'])
  if (!definitions.some((definition) => definition.phase === phase && definition.constraints.required === true)) return []
  const names = new Map(definitions.map((definition) => [definition.id, definition.name]))
  const values = await storedValues(trx, keyring, [{ account_id, owner_id: id }])
  return missingRequired(definitions, values.map(({ parameter_id, text, structured_value }) => ({ id: names.get(parameter_id) ?? '', value: text, structured_value })), phase)
}
