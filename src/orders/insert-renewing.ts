import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { lockPools } from '../licenses/fill.js'
import type { RoutedLine } from '../pools/route-lines.js'
import { insertLines } from './insert-lines.js'
import type { PaidLine } from './paid-order.js'
import type { Arrival } from './take-in.js'

type Policy = 'issue' | 'keep' | 'extend'

/** What a line is in the chain of renewals that it goes on with. */
interface Renewal {
  product_id: string
  parent_line_item_id: string
  first_line_item_id: string
  number: number
  on_renewal: Policy
  parent_license_line_ids: string[]
  kept_line_item_ids: string[]
}
/** `kept`: how many licenses the customer has already and keeps. */
export interface RenewedLine { route: RoutedLine, renewal: Renewal | undefined, kept: number }

/** A line of a chain, the first with number 0. `slots`: licenses that it has or waits for. */
interface Member { first_id: string, id: string, number: number, kept: string[], slots: number, is_over: boolean }

/**
 * Writes the lines of an order that renews another, as {@link insertLines} does, and what each renews: of its parent's lines that of the same product, the
 * first the first. Whatever order of a chain is named, the chain goes on from its last one that was not refunded. A line of a product that keeps its licenses
 * wants only as many as the customer does not have. Locks the pools of both orders, so that nobody refunds or renews the parent beside it.
 */
export async function insertRenewing (
  trx: Transaction<Database>, { account_id, order_id, order }: Arrival, routed: readonly RoutedLine[]
): ReturnType<typeof insertLines> {
  const { parent_id } = await trx.selectFrom('orders').select('parent_id')
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirstOrThrow()
  const renewing = await renewLines(trx, account_id, parent_id ?? '', routed)
  const lines = await insertLines(trx, account_id, order_id, order.line_items, renewing.map(({ route }) => route))
  const rows = lines.flatMap(({ id }, index) => {
    const { renewal } = renewing[index] as RenewedLine
    const { period = null } = order.line_items[index] as PaidLine
    return renewal === undefined ? [] : [{ account_id, line_item_id: id, order_id, period, ...renewal }]
  })
  if (rows.length > 0) await trx.insertInto('renewals').values(rows).execute()
  return lines
}

async function renewLines (trx: Transaction<Database>, account_id: string, parent_id: string, routed: readonly RoutedLine[]): Promise<RenewedLine[]> {
  const pools = await trx.selectFrom('line_items').select('pool_id').distinct().where('account_id', '=', account_id).where('order_id', '=', parent_id).execute()
  await lockPools(trx, account_id, [...routed, ...pools].map((line) => line.pool_id))
  return planRenewals(trx, account_id, parent_id, routed)
}

/** What each line of an order that renews the parent would get and renew. */
export async function planRenewals (db: Reader, account_id: string, parent_id: string, routed: readonly RoutedLine[]): Promise<RenewedLine[]> {
  const chains = await chainsOf(db, account_id, parent_id)
  const policies = await db.selectFrom('products').select(['id', 'on_renewal']).where('account_id', '=', account_id)
    .where('id', '=', sql<string>`any(${routed.map((line) => line.product_id)}::text[])`).execute()
  const policyOf = new Map(policies.map((product) => [product.id, product.on_renewal as Policy]))
  return routed.map((route) => {
    const members = chains.get(route.product_id)?.shift()
    return members === undefined ? { route, renewal: undefined, kept: 0 } : renewLine(route, members, policyOf.get(route.product_id) ?? 'issue')
  })
}

/** The members of each chain that a line of the order is of, by product, in the order of its lines. */
async function chainsOf (db: Reader, account_id: string, order_id: string): Promise<Map<string, Member[][]>> {
  const { rows } = await sql<{ product_id: string, members: Member[] }>`
    select l.product_id, c.members
    from line_items l
    left join renewals r on r.account_id = l.account_id and r.line_item_id = l.id
    cross join lateral (
      select json_agg(json_build_object('first_id', f.id, 'id', m.id, 'number', m.number, 'kept', m.kept, 'slots', (
          select count(*) from slots s where s.account_id = l.account_id and s.line_item_id = m.id and s.cancelled_at is null),
        'is_over', o.status in ('refunded', 'charged_back', 'cancelled')) order by m.number) as members
      from (select coalesce(r.first_line_item_id, l.id) as id) f
      cross join lateral (
        select f.id, 0 as number, '{}'::text[] as kept
        union all
        select n.line_item_id, n.number, n.kept_line_item_ids from renewals n where n.account_id = l.account_id and n.first_line_item_id = f.id) m
      join line_items x on x.account_id = l.account_id and x.id = m.id
      join orders o on o.account_id = x.account_id and o.id = x.order_id) c
    where l.account_id = ${account_id} and l.order_id = ${order_id} order by length(l.id), l.id`.execute(db)
  const chains = new Map<string, Member[][]>()
  for (const { product_id, members } of rows) chains.set(product_id, [...chains.get(product_id) ?? [], members])
  return chains
}

function renewLine (route: RoutedLine, members: readonly Member[], policy: Policy): RenewedLine {
  const parent = members.findLast((member) => !member.is_over) ?? members[0] as Member
  const had = members.filter((member) => member.slots > 0 && (member.id === parent.id || parent.kept.includes(member.id)))
  const slots = had.reduce((sum, member) => sum + member.slots, 0)
  const on_renewal = slots === 0 ? 'issue' : policy // nothing is left to be kept
  const license_line_ids = had.map((member) => member.id)
  const renewal: Renewal = {
    product_id: route.product_id,
    parent_line_item_id: parent.id,
    first_line_item_id: parent.first_id,
    number: Math.max(...members.map((member) => member.number)) + 1,
    on_renewal,
    parent_license_line_ids: license_line_ids,
    kept_line_item_ids: on_renewal === 'issue' ? [] : license_line_ids,
  }
  return on_renewal === 'issue' ? { route, renewal, kept: 0 } : { route: { ...route, slots: Math.max(0, route.slots - slots) }, renewal, kept: slots }
}
