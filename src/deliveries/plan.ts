import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** Where the mails of an order `o` go: to the corrected address, else the customer's own; null: there is none. */
export const mailAddress: RawBuilder<string | null> = sql`coalesce(o.mail_to, o.customer ->> 'email')`

/** What is to be mailed for an order: the licenses that were given for its products, in the order they are to be listed. */
export interface NewDeliveries {
  account_id: string
  order_id: string
  reason: 'order' | 'backorder' | 'resend'
  /** of a resend: the API key */
  requested_by?: string
  filled: ReadonlyArray<{ product_id: string, license_id: string }>
}

/**
 * Plans one mail per product, each with all its licenses, in the transaction that gives them. The order is known to be the account's.
 * Without an address in the order, none.
 * The caller calls wakeWorker() after the commit. Returns the ids of the deliveries.
 */
export async function planDeliveries (trx: Transaction<Database>, planned: NewDeliveries): Promise<string[]> {
  const { account_id, order_id, reason, requested_by = null, filled } = planned
  if (filled.length === 0) return []
  const licensesOf = new Map<string, string[]>()
  for (const { product_id, license_id } of filled) {
    const licenses = licensesOf.get(product_id) ?? []
    licenses.push(license_id)
    licensesOf.set(product_id, licenses)
  }
  const { to } = await trx.selectFrom('orders as o').select(mailAddress.as('to'))
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirstOrThrow()
  if (to === null) return []
  const rows = await trx.insertInto('deliveries').values([...licensesOf].map(([product_id, license_ids]) =>
    ({ account_id, order_id, product_id, license_ids, to, reason, requested_by }))).returning('id').execute()
  return rows.map((delivery) => delivery.id)
}

/** A mail that hands over no license: what it says, with the tags of mails. */
export interface NewInformation {
  account_id: string
  order_id: string
  mails: ReadonlyArray<{ product_id: string, words: { subject: string, text: string } }>
  /** of a resend: the API key */
  requested_by?: string
}

/** Plans mails without a license, one per product. Without an address in the order, none. The caller calls wakeWorker() after the commit. Returns their ids. */
export async function planInformation (trx: Transaction<Database>, { account_id, order_id, mails, requested_by }: NewInformation): Promise<string[]> {
  if (mails.length === 0) return []
  const { rows } = await sql<{ id: string }>`
    insert into deliveries (account_id, order_id, product_id, license_ids, "to", reason, requested_by, words)
    select ${account_id}, ${order_id}, m.product_id, '{}', ${mailAddress}, 'information', ${requested_by ?? null}, m.words
    from orders o cross join jsonb_to_recordset(${JSON.stringify(mails)}::jsonb) as m (product_id text, words jsonb)
    where o.account_id = ${account_id} and o.id = ${order_id} and ${mailAddress} is not null
    returning id`.execute(trx)
  return rows.map((delivery) => delivery.id)
}
