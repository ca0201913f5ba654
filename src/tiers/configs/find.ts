import { sql, type InferResult } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { Connection } from '../../distribution/find-connection.js'

/** Tier configurations with what they are of. Aliases: `c` the configuration, `d` product, `a` reseller, `n` connection, `h` its hub, `m`, `k`. */
export function configRows (db: Reader) {
  return db.selectFrom('tier_configs as c')
    .innerJoin('products as d', (join) => join.onRef('d.account_id', '=', 'c.account_id').onRef('d.id', '=', 'c.product_id'))
    .innerJoin('connections as n', (join) => join.onRef('n.account_id', '=', 'c.account_id').onRef('n.id', '=', 'c.connection_id'))
    .innerJoin('tier_accounts as a', (join) => join.onRef('a.provider_id', '=', 'c.provider_id').onRef('a.id', '=', 'c.tier_account_id'))
    .innerJoin('accounts as vendor', 'vendor.id', 'c.account_id')
    .innerJoin('accounts as provider', 'provider.id', 'c.provider_id')
    .leftJoin('hubs as h', (join) => join.onRef('h.provider_id', '=', 'n.provider_id').onRef('h.id', '=', 'n.hub_id'))
    .leftJoin('marketplaces as m', (join) => join.onRef('m.provider_id', '=', 'c.provider_id').onRef('m.id', '=', 'c.marketplace_id'))
    .leftJoin('contracts as k', (join) => join.onRef('k.account_id', '=', 'c.account_id').onRef('k.id', '=', 'c.contract_id'))
    .leftJoin('product_templates as t', (join) => join.onRef('t.account_id', '=', 'c.account_id').onRef('t.id', '=', 'c.template_id'))
    .selectAll('c')
    .select(['d.name as product_name', 'd.icon as product_icon', 'd.status as product_status', 'vendor.name as vendor_name', 'provider.name as provider_name'])
    .select(['n.created_at as connection_created_at', 'n.hub_id', 'h.name as hub_name', 'm.name as marketplace_name', 'm.icon as marketplace_icon'])
    .select(['a.name as account_name', 'k.name as contract_name', 't.name as template_name'])
    .select((row) => [
      row.ref('c.status').$castTo<'processing' | 'active'>().as('status'),
      row.ref('c.tier_level').$castTo<1 | 2>().as('tier_level'),
      row.ref('n.type').$castTo<Connection['type']>().as('connection_type'),
      row.ref('n.status').$castTo<Connection['status']>().as('connection_status'),
      sql<string | null>`(select r.id from tier_config_requests r where r.account_id = c.account_id and r.tier_config_id = c.id
        and r.status in ('tiers_setup', 'pending', 'inquiring'))`.as('open_request_id'),
    ])
}
export type ConfigRow = InferResult<ReturnType<typeof configRows>>[number]

/** Those that a caller has a part in. */
export function configRowsSeenBy (db: Reader, caller: { id: string, type: string }) {
  return configRows(db).where(caller.type === 'provider' ? 'c.provider_id' : 'c.account_id', '=', caller.id)
}

/** @throws Problem tier-config-not-found */
export async function findConfig (db: Reader, caller: { id: string, type: string }, id: string): Promise<ConfigRow> {
  const row = await configRowsSeenBy(db, caller).where('c.id', '=', id).executeTakeFirst()
  if (row === undefined) throw new Problem('tier-config-not-found')
  return row
}
