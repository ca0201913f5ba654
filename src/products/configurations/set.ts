import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { checkValue, isEmpty, isStructured } from '../../parameters/check-value.js'
import { Problem } from '../../problems.js'
import { seal, type Keyring } from '../../sealing.js'
import type { ProductKey } from '../find.js'
import { constraintsBody } from '../parameters/constraints.js'
import { parametersOf } from '../parameters/find.js'
import { valueContext, type ConfigurationKey } from './find.js'
import type { ConfigurationWrite } from './schema.js'

interface ConfigurationWanted { key: ProductKey, parameter_id: string, given: Static<typeof ConfigurationWrite> }

/**
 * Sets or clears what a vendor sets up beforehand, and returns where. A secret is sealed.
 *
 * @throws Problem parameter-not-found
 * @throws Problem validation-failed  not of the configuration phase, item or marketplace missing or unknown, value not of the type
 */
export async function setConfiguration (
  trx: Transaction<Database>, keyring: Keyring, { key, parameter_id, given }: ConfigurationWanted, actor: string
): Promise<ConfigurationKey> {
  // shared, so that nobody makes it secret or open meanwhile
  const parameter = await parametersOf(trx, key).where('id', '=', parameter_id).forShare().executeTakeFirst()
  if (parameter === undefined) throw new Problem('parameter-not-found')
  const { scope, secret } = parameter
  if (parameter.phase !== 'configuration') throw refused([`parameter: is of the phase ${parameter.phase}; requests have its values`])
  const item_id = placeOf('item', scope === 'item' || scope === 'item_marketplace', given.item)
  const marketplace_id = placeOf('marketplace', scope === 'marketplace' || scope === 'item_marketplace', given.marketplace)
  await checkPlaces(trx, { ...key, item_id, marketplace_id })
  const fault = checkValue({ ...parameter, constraints: constraintsBody(parameter.constraints, parameter) }, given)
  if (fault !== undefined) throw refused([`${isStructured(parameter) ? 'structured_value' : 'value'}: ${fault}`])
  const where = { ...key, parameter_id, item_id, marketplace_id }
  const value = isEmpty(given.value) ? null : given.value!
  const columns = {
    value: secret ? null : value,
    sealed: secret && value !== null ? seal(keyring, valueContext(where), Buffer.from(value)) : null,
    structured_value: isEmpty(given.structured_value) ? null : JSON.stringify(given.structured_value),
  }
  await trx.insertInto('product_configurations').values({ ...where, ...columns })
    .onConflict((conflict) => conflict.columns(['account_id', 'product_id', 'parameter_id', 'item_id', 'marketplace_id']).doUpdateSet({ ...columns, updated_at: sql<Date>`now()` }))
    .execute()
  await recordEvent(trx, { account_id: key.account_id, type: 'product.configured', subject_id: key.product_id, actor, data: { parameter_id, item_id, marketplace_id } })
  return where
}

const refused = (errors: string[]): Problem => new Problem('validation-failed', { detail: errors.join('; '), errors })

function placeOf (field: 'item' | 'marketplace', isWanted: boolean, given: { id: string } | null | undefined): string {
  const id = given?.id ?? ''
  if (isWanted === (id !== '')) return id
  throw refused([isWanted ? `${field}.id: is required by the scope of the parameter` : `${field}: the parameter is not of one; leave it out`])
}

async function checkPlaces (trx: Transaction<Database>, { account_id, product_id, item_id, marketplace_id }: Omit<ConfigurationKey, 'parameter_id'>): Promise<void> {
  const item = await trx.selectFrom('product_items').select('id')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', item_id).forKeyShare().executeTakeFirst()
  const contract = await trx.selectFrom('contracts').select('id')
    .where('account_id', '=', account_id).where('marketplace_id', '=', marketplace_id).executeTakeFirst()
  const errors = [
    ...(item_id !== '' && item === undefined ? ['item.id: the product has no such item'] : []),
    ...(marketplace_id !== '' && contract === undefined ? ['marketplace.id: you have no contract for such a marketplace'] : []),
  ]
  if (errors.length > 0) throw refused(errors)
}
