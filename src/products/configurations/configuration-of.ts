import { sql } from 'kysely'
import type { ConfigParamDocument } from '../../assets/schema.js'
import type { Reader } from '../../database/connect.js'
import { groupBy } from '../../parameters/group-by.js'

interface Row extends Omit<ConfigParamDocument, 'value' | 'structured_value'> {
  account_id: string
  product_id: string
  item_id: string
  marketplace_id: string
  value: string | null
  structured_value: object | null
}

interface Sold { account_id: string, product_id: string, marketplace_id: string | null }

/** What was set up for what is sold on a marketplace: of the product as a whole, or of one of its items. */
export type ConfigurationOf = (sold: Sold, item_id?: string) => ConfigParamDocument[]

/** The configuration of the products of some assets or tier configurations, on their marketplaces. Secret values are left out. One statement. */
export async function configurationOf (db: Reader, sold: ReadonlyArray<Pick<Sold, 'account_id' | 'product_id'>>): Promise<ConfigurationOf> {
  const keyOf = ({ account_id, product_id }: { account_id: string, product_id: string }): string => `${account_id}/${product_id}`
  const products = [...new Map(sold.map((each) => [keyOf(each), each])).values()]
  const { rows } = await sql<Row>`
    select v.account_id, v.product_id, v.item_id, v.marketplace_id, v.value, v.structured_value, p.name as id, p.title, p.type, p.scope, p.phase
    from unnest(${products.map(({ account_id }) => account_id)}::text[], ${products.map(({ product_id }) => product_id)}::text[]) as of (account_id, product_id)
    join product_configurations v on v.account_id = of.account_id and v.product_id = of.product_id
    join product_parameters p on p.account_id = v.account_id and p.id = v.parameter_id
    where not p.secret and v.sealed is null
    order by p.position, p.id`.execute(db)
  const byProduct = groupBy(rows, keyOf)
  return (each, of_item = '') => (byProduct.get(keyOf(each)) ?? [])
    .filter(({ item_id, marketplace_id }) => item_id === of_item && ['', each.marketplace_id].includes(marketplace_id))
    .map(({ id, title, type, scope, phase, value, structured_value }) =>
      ({ id, title, type, scope, phase, value: value ?? '', ...(structured_value === null ? {} : { structured_value }) }))
}
