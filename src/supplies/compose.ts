import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { open, type Keyring } from '../sealing.js'
import type { Call } from '../webhooks/call.js'
import { standardHeaders } from '../webhooks/sign.js'
import type { ClaimedSupplyOrder } from './claim.js'
import { PARAMETERS, PARAMETERS_ON_DEMAND, type ParameterName } from './schema.js'
import { secretContext } from './write.js'

const USER_AGENT = 'Latchkey-Supplies'

interface Facts {
  external_id: string
  currency: string
  locale: string | null
  customer: Record<string, unknown>
  /** minor units; null: not known */
  sum: string | null
  quantity: number
  slots: number
}

async function factsOf (db: Reader, { account_id, order_id, line_item_id }: ClaimedSupplyOrder): Promise<Facts> {
  const { rows } = await sql<Facts>`
    select o.external_id, o.currency, o.locale, o.customer, l.quantity,
      coalesce(o.total_amount, (
        select case when bool_and(s.unit_amount is not null) then sum(s.unit_amount * s.quantity) end from line_items s
        where s.account_id = o.account_id and s.order_id = o.id))::text as sum,
      (select count(*)::int from slots s where s.account_id = l.account_id and s.line_item_id = l.id) as slots
    from orders o join line_items l on l.account_id = o.account_id and l.order_id = o.id
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

/** Every parameter, as text. */
function parametersOf ({ line_item_id, product_id, number, quantity }: ClaimedSupplyOrder, facts: Facts): Record<ParameterName, string> {
  const of = (field: string): string => typeof facts.customer[field] === 'string' ? facts.customer[field] : ''
  return {
    Order: facts.external_id,
    Item: line_item_id,
    ID: product_id,
    Quantity: String(facts.slots === 1 ? facts.quantity : quantity), // one license for a whole line is for all its units
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
  const values = parametersOf(claimed, await factsOf(db, claimed))
  const sent = [...PARAMETERS, ...PARAMETERS_ON_DEMAND.filter((name) => names[name] !== undefined)].map((name) => [names[name] ?? name, values[name]] as const)
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
