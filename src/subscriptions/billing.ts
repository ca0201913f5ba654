import { sql } from 'kysely'
import type { AssetKey } from '../assets/asset-rows.js'
import type { Reader } from '../database/connect.js'
import type { BillingDocument } from './schema.js'

type Length = NonNullable<BillingDocument['period']>
type Stats = BillingDocument['stats']

interface Row extends AssetKey {
  billing_next_date: Date | null
  /** of the first of its items that is billed again and again: monthly, years_2 */
  item_period: string | null
  stats: Partial<Stats> | null
  billed_to: Date | null
}

const NONE: Stats['vendor'] = { count: 0, last_request: null }

/** How and when an asset is billed. */
type BillingOf = (asset: AssetKey) => BillingDocument

/** How some assets are billed, in one statement. */
export async function billingOf (db: Reader, assets: readonly AssetKey[]): Promise<BillingOf> {
  const { rows } = await sql<Row>`
    select a.account_id, a.id as asset_id, a.billing_next_date,
      (select i.period from asset_items ai join product_items i on i.account_id = ai.account_id and i.id = ai.item_id
        where ai.account_id = a.account_id and ai.asset_id = a.id and i.type = 'reservation' and i.period <> 'onetime' order by i.position, i.id limit 1) as item_period,
      made.stats, made.billed_to
    from unnest(${assets.map(({ account_id }) => account_id)}::text[], ${assets.map(({ asset_id }) => asset_id)}::text[]) as of (account_id, id)
    join assets a on a.account_id = of.account_id and a.id = of.id
    cross join lateral (
      select jsonb_object_agg(t.type, jsonb_build_object('count', t.count, 'last_request', t.last)) as stats, max(t.billed_to) as billed_to
      from (
        select b.type, count(*) as count, max(b.period_to) as billed_to, (array_agg(jsonb_build_object('id', b.id, 'period', jsonb_build_object(
          'from', b.period_from, 'to', b.period_to, 'delta', b.period_delta, 'uom', b.period_uom)) order by b.period_to desc, b.id desc))[1] as last
        from billing_requests b where b.account_id = a.account_id and b.asset_id = a.id group by b.type
      ) t
    ) made`.execute(db)
  const billing = new Map(rows.map((row) => [`${row.account_id}/${row.asset_id}`, billingBody(row)]))
  return ({ account_id, asset_id }) => billing.get(`${account_id}/${asset_id}`)!
}

function billingBody ({ billing_next_date, item_period, stats, billed_to }: Row): BillingDocument {
  const moments = [billed_to, billing_next_date].filter((moment) => moment !== null)
  return {
    period: lengthOf(item_period),
    next_date: moments.length === 0 ? null : new Date(Math.max(...moments.map((moment) => moment.getTime()))),
    stats: { vendor: stats?.vendor ?? NONE, provider: stats?.provider ?? NONE },
  }
}

/** The period of an item as a length: `years_3` is three years. Null: it is bought once. */
export function lengthOf (item_period: string | null): Length | null {
  if (item_period === 'monthly' || item_period === 'yearly') return { delta: 1, uom: item_period }
  const years = /^years_(\d)$/.exec(item_period ?? '')?.[1]
  return years === undefined ? null : { delta: Number(years), uom: 'yearly' }
}
