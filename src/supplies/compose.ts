import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { openKeys } from '../licenses/open-keys.js'
import { open, type Keyring } from '../sealing.js'
import type { Call } from '../webhooks/call.js'
import { standardHeaders } from '../webhooks/sign.js'
import type { ClaimedSupplyOrder } from './claim.js'
import { PARAMETERS, PARAMETERS_OF_RENEWALS, PARAMETERS_ON_DEMAND, type ParameterName } from './schema.js'
import { secretContext } from './write.js'

const USER_AGENT = 'Latchkey-Supplies'

interface Facts {
  external_id: string
  currency: string
  locale: string | null
  customer: Record<string, unknown>
  /** minor units; null: not known */
  sum: string | null
  /** units that one license is for; null: one license is for one unit */
  units: number | null
}

async function factsOf (db: Reader, { account_id, order_id, line_item_id }: ClaimedSupplyOrder): Promise<Facts> {
  const { rows } = await sql<Facts>`
    select o.external_id, o.currency, o.locale, o.customer,
      coalesce(o.total_amount, (
        select case when bool_and(s.unit_amount is not null) then sum(s.unit_amount * s.quantity) end from line_items s
        where s.account_id = o.account_id and s.order_id = o.id))::text as sum,
      case when p.quantity_rule = 'line' and (
        select count(*) from slots s where s.account_id = l.account_id and s.line_item_id = l.id) = 1 then l.quantity end as units
    from orders o join line_items l on l.account_id = o.account_id and l.order_id = o.id
    join pools p on p.account_id = l.account_id and p.id = l.pool_id
    where o.account_id = ${account_id} and o.id = ${order_id} and l.id = ${line_item_id}`.execute(db)
  return rows[0] as Facts
}

/** `4900` EUR is `49.00`, `500` JPY is `500.00`, and `12345` KWD, of three decimals, is `12.35`: two decimals in every currency. */
export function withTwoDecimals (minor: string, currency: string): string {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  const scale = 10n ** BigInt(Math.max(digits - 2, 0))
  const cents = (BigInt(minor) * 10n ** BigInt(Math.max(2 - digits, 0)) + scale / 2n) / scale
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`
}

type RenewalParameter = typeof PARAMETERS_OF_RENEWALS[number]

/** Of a line that renews another: the subscription, and the licenses it began with and has had until now, one a line. */
async function renewalOf (
  db: Reader, keyring: Keyring, { account_id, line_item_id }: ClaimedSupplyOrder
): Promise<Partial<Record<RenewalParameter, string>>> {
  const { rows: [renewal] } = await sql<{ first_id: string, period: string | null, first: string[], last: string[] }>`
    select r.first_line_item_id as first_id, r.period,
      array(select a.license_id from allocations a where a.account_id = r.account_id and a.line_item_id = r.first_line_item_id and a.ended_as is null
        order by a.unit) as first,
      array(select a.license_id from allocations a where a.account_id = r.account_id and a.line_item_id = any(r.parent_license_line_ids) and a.ended_as is null
        order by a.line_item_id, a.unit) as last
    from renewals r where r.account_id = ${account_id} and r.line_item_id = ${line_item_id}`.execute(db)
  if (renewal === undefined) return {}
  const { first_id, period, first, last } = renewal
  const keys = await openKeys(db, keyring, account_id, [...first, ...last])
  const textOf = (license_ids: readonly string[]): string => license_ids.flatMap((id) => keys.get(id) ?? []).join('\n')
  return { Subscription_ID: first_id, Subscription_period: period ?? '', Key_first_renew: textOf(first), Key_last_renew: textOf(last) }
}

/** Every parameter but those of renewals, as text. */
function parametersOf (
  { line_item_id, product_id, number, quantity }: ClaimedSupplyOrder, facts: Facts
): Record<Exclude<ParameterName, RenewalParameter>, string> {
  const of = (field: string): string => typeof facts.customer[field] === 'string' ? facts.customer[field] : ''
  return {
    Order: facts.external_id,
    Item: line_item_id,
    ID: product_id,
    Quantity: String(facts.units ?? quantity),
    Order_sum: facts.sum === null ? '' : withTwoDecimals(facts.sum, facts.currency),
    Currency: facts.currency,
    Zone: of('country'),
    Unit: String(number),
    Fullname: [of('first_name'), of('last_name')].filter((part) => part !== '').join(' '),
    Email: of('email'),
    Company: of('company'),
    Locale: facts.locale ?? '',
  }
}

/** What makes the calls of one round one call: the same on every try. */
export const idempotencyKeyOf = ({ id, round }: ClaimedSupplyOrder): string => `${id}-${round}`

/**
 * The call for a demand: its parameters by their names, in the body or in the query, and signed, where there is a secret, as Standard Webhooks has it. Of
 * a GET the query is signed in place of the body.
 */
export async function composeCall (db: Reader, keyring: Keyring, claimed: ClaimedSupplyOrder): Promise<Call> {
  const { url = '', method = 'POST', names = {} } = claimed.settings ?? {}
  const renewal = await renewalOf(db, keyring, claimed)
  const values: Partial<Record<ParameterName, string>> = { ...parametersOf(claimed, await factsOf(db, claimed)), ...renewal }
  const sent = [...PARAMETERS, ...PARAMETERS_OF_RENEWALS.filter((name) => name in renewal), ...PARAMETERS_ON_DEMAND.filter((name) => names[name] !== undefined)]
    .map((name) => [names[name] ?? name, values[name] ?? ''] as const)
  const query = sent.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  const target = method === 'GET' ? `${url}${url.includes('?') ? '&' : '?'}${query}` : url
  const body = JSON.stringify(Object.fromEntries(sent))
  const signed = method === 'GET' ? target.slice(target.indexOf('?') + 1) : body
  const secret = claimed.sealed_secret === null ? undefined : open(keyring, secretContext(claimed), claimed.sealed_secret).toString()
  const id = idempotencyKeyOf(claimed)
  const headers: Record<string, string> = {
    'user-agent': USER_AGENT,
    accept: 'text/plain, application/json',
    'idempotency-key': id,
    ...(secret === undefined ? {} : standardHeaders([secret], id, signed)),
  }
  if (method === 'GET') return { url: target, method, headers }
  return { url: target, method, headers: { ...headers, 'content-type': 'application/json; charset=utf-8', 'content-length': String(Buffer.byteLength(body)) }, body }
}
