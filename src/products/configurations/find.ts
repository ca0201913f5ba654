import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { open, type Keyring } from '../../sealing.js'
import type { ProductCaller, ProductKey } from '../find.js'
import type { ParameterColumns } from '../parameters/check.js'
import { parameterBody } from '../parameters/find.js'

const MASK = '********'

/** Which value of a parameter: '' where it is not of one item or marketplace. */
export interface ConfigurationKey extends ProductKey { parameter_id: string, item_id: string, marketplace_id: string }

/** What a sealed value is bound to. */
export const valueContext = ({ account_id, product_id, parameter_id, item_id, marketplace_id }: ConfigurationKey): string[] =>
  [account_id, product_id, parameter_id, item_id, marketplace_id]

/**
 * The values that a vendor set up for a product, each with its parameter. A provider sees those of its own marketplaces and of none,
 * without what is shared with nobody.
 */
export function configurationsSeenBy (db: Reader, { id, type }: ProductCaller, { account_id, product_id }: ProductKey) {
  const marketplaceName = sql<string | null>`(select m.name from contracts c join marketplaces m on m.provider_id = c.provider_id and m.id = c.marketplace_id
    where c.account_id = product_configurations.account_id and c.marketplace_id = product_configurations.marketplace_id limit 1)`
  const values = db.selectFrom('product_configurations')
    .innerJoin('product_parameters', (join) => join.onRef('product_parameters.account_id', '=', 'product_configurations.account_id')
      .onRef('product_parameters.id', '=', 'product_configurations.parameter_id'))
    .leftJoin('product_items', (join) => join.onRef('product_items.account_id', '=', 'product_configurations.account_id')
      .onRef('product_items.id', '=', 'product_configurations.item_id'))
    .select(['product_configurations.account_id', 'product_configurations.product_id', 'product_configurations.parameter_id', 'product_configurations.item_id',
      'product_configurations.marketplace_id', 'product_configurations.value', 'product_configurations.structured_value', 'product_configurations.sealed',
      'product_configurations.created_at', 'product_configurations.updated_at', 'product_items.name as item_name', marketplaceName.as('marketplace_name'),
      sql<ParameterColumns & { id: string, created_at: Date, updated_at: Date }>`to_jsonb(product_parameters) - '{account_id,product_id}'::text[]`.as('parameter')])
    .where('product_configurations.account_id', '=', account_id).where('product_configurations.product_id', '=', product_id)
  if (type !== 'provider') return values
  return values.where(sql<boolean>`coalesce(product_parameters.constraints ->> 'shared', '') <> 'none' and (product_configurations.marketplace_id = ''
    or product_configurations.marketplace_id in (select id from marketplaces where provider_id = ${id}))`)
}

type Row = Awaited<ReturnType<ReturnType<typeof configurationsSeenBy>['executeTakeFirstOrThrow']>>

/** A value in Connect's shape. A secret is opened for its vendor and masked for others. */
export function configurationBody (row: Row, keyring: Keyring, is_owner: boolean) {
  const { item_id, item_name, marketplace_id, marketplace_name, structured_value } = row
  return {
    value: valueOf(row, keyring, is_owner),
    ...(structured_value === null ? {} : { structured_value }),
    parameter: parameterBody(row.parameter, is_owner),
    ...(item_id === '' ? {} : { item: { id: item_id, name: item_name ?? '' } }),
    ...(marketplace_id === '' ? {} : { marketplace: { id: marketplace_id, name: marketplace_name ?? '' } }),
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
  }
}

function valueOf (row: Row, keyring: Keyring, is_owner: boolean): string {
  if (row.sealed === null) return row.value ?? ''
  return is_owner ? open(keyring, valueContext(row), row.sealed).toString() : MASK
}
