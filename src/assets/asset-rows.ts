import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { ConnectionRow } from '../distribution/connection-body.js'
import type { AssetDocument } from './schema.js'

/** Which asset, and whose: two vendors may have assets of one id. */
export interface AssetKey { account_id: string, asset_id: string }

/** By whom, of what and where an asset was bought. */
interface Ties {
  account_id: string
  provider_id: string
  product_id: string
  connection_id: string
  marketplace_id: string
  contract_id: string | null
  template_id: string | null
}

/** An asset as it is stored. */
export interface AssetRow extends AssetKey, Ties {
  status: AssetDocument['status']
  external_id: string
  external_uid: string
  customer_id: string | null
  tier1_id: string | null
  tier2_id: string | null
  created_at: Date
  updated_at: Date
}

/** The names of all that an asset is tied to. */
export interface TiedTo extends Ties, ConnectionRow {
  product_name: string
  product_icon: string
  product_status: AssetDocument['product']['status']
  capabilities: unknown
  marketplace_name: string
  marketplace_icon: string
  contract_name: string | null
  contract_type: string | null
  template_name: string | null
}

/** Any number of assets in one statement, in no order. */
export async function assetRows (db: Reader, keys: readonly AssetKey[]): Promise<AssetRow[]> {
  const { rows } = await sql<AssetRow>`
    select a.account_id, a.id as asset_id, a.provider_id, a.status, a.external_id, a.external_uid, a.customer_id, a.tier1_id, a.tier2_id,
      a.created_at, a.updated_at, a.product_id, a.connection_id, a.marketplace_id, a.contract_id, a.template_id
    from unnest(${keys.map(({ account_id }) => account_id)}::text[], ${keys.map(({ asset_id }) => asset_id)}::text[]) as of (account_id, id)
    join assets a on a.account_id = of.account_id and a.id = of.id`.execute(db)
  return rows
}

const keyOf = ({ account_id, provider_id, product_id, connection_id, marketplace_id, contract_id, template_id }: Ties): string =>
  [account_id, provider_id, product_id, connection_id, marketplace_id, contract_id, template_id].join('/')

/**
 * What assets are tied to, in one statement: the assets of a page share most of it, so each combination is looked up once. In steps, each planned by
 * itself: in one, PostgreSQL weighs the nine tables in every order, as all are joined by the account (20 ms each time), and may pair each product
 * with each connection (36 ms for fifty assets).
 */
export async function tiesOf (db: Reader, assets: readonly Ties[]): Promise<(asset: Ties) => TiedTo> {
  const ties = [...new Map(assets.map((asset) => [keyOf(asset), asset])).values()]
  const all = <K extends keyof Ties>(name: K): Array<Ties[K]> => ties.map((each) => each[name])
  const { rows } = await sql<TiedTo>`
    with placed as materialized (
      select of.*, p.name as product_name, p.icon as product_icon, p.status as product_status, p.capabilities,
        c.type as connection_type, c.status as connection_status, c.created_at as connection_created_at, c.hub_id, h.name as hub_name
      from unnest(${all('account_id')}::text[], ${all('provider_id')}::text[], ${all('product_id')}::text[], ${all('connection_id')}::text[],
        ${all('marketplace_id')}::text[], ${all('contract_id')}::text[], ${all('template_id')}::text[])
        as of (account_id, provider_id, product_id, connection_id, marketplace_id, contract_id, template_id)
      join products p on p.account_id = of.account_id and p.id = of.product_id
      join connections c on c.account_id = of.account_id and c.id = of.connection_id
      left join hubs h on h.provider_id = of.provider_id and h.id = c.hub_id
    )
    select f.*, vendor.name as vendor_name, provider.name as provider_name, m.name as marketplace_name, m.icon as marketplace_icon,
      ct.name as contract_name, ct.type as contract_type, t.name as template_name
    from placed f
    join accounts vendor on vendor.id = f.account_id
    join accounts provider on provider.id = f.provider_id
    join marketplaces m on m.provider_id = f.provider_id and m.id = f.marketplace_id
    left join contracts ct on ct.account_id = f.account_id and ct.id = f.contract_id
    left join product_templates t on t.account_id = f.account_id and t.id = f.template_id`.execute(db)
  const found = new Map(rows.map((row) => [keyOf(row), row]))
  return (asset) => found.get(keyOf(asset))!
}
