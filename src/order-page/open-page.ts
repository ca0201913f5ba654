import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { ORDER_STATUSES } from '../orders/schema.js'
import type { Keyring } from '../sealing.js'
import { readToken } from './token.js'

/** An order whose page a token opened. */
export interface OpenedPage {
  account_id: string
  order_id: string
  external_id: string
  status: typeof ORDER_STATUSES[number]
  is_held: boolean
  locale: string | null
  paid_at: Date
  seller: string
  /** of the token */
  expires_at: Date
  /** whose pages may show the answer beside our own */
  allowed_origins: string[]
}

/**
 * The order that a token opens. Undefined, without saying why: nobody signed it, it expired, the links of the order were revoked, or its customer
 * was erased.
 */
export async function openPage (db: Reader, keyring: Keyring, token: unknown): Promise<OpenedPage | undefined> {
  const ticket = typeof token === 'string' ? readToken(keyring, token, new Date()) : undefined
  if (ticket === undefined) return undefined // a guess costs no query
  const { account_id, order_id, generation, expires_at } = ticket
  const { rows: [order] } = await sql<Omit<OpenedPage, 'expires_at'>>`
    select o.account_id, o.id as order_id, o.external_id, o.status, o.is_held, o.locale, o.paid_at, a.name as seller, coalesce(s.allowed_origins, '{}') as allowed_origins
    from orders o join accounts a on a.id = o.account_id left join order_page_settings s on s.account_id = o.account_id
    where o.account_id = ${account_id} and o.id = ${order_id} and o.page_generation = ${generation} and o.erased_at is null`.execute(db)
  return order === undefined ? undefined : { ...order, expires_at }
}

/** Whether an order shows its licenses to its customer: as for mails, while it is paid and nothing is disputed. */
export function showsLicenses ({ status, is_held }: Pick<OpenedPage, 'status' | 'is_held'>): boolean {
  return !is_held && (status === 'paid' || status === 'partially_refunded')
}
