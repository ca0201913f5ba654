import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { emptyEvents } from './empty-events.js'

/** Payment events that one transaction looks at: their content is read, a few kilobytes each. */
const SCANNED = 200

export interface EmptiedEvents { emptied: number, kept_ids: string[], /** null: there are no more */ last: string | null }

interface Look { account_id: string, cursor: string, forced: boolean, /** on the row `e` of payment_events */ is_meant: RawBuilder<SqlBool> }

/** What is paid and has not become an order that has all its licenses: a replay reads it again. Of the row `e` of payment_events. */
const isNeeded = sql<boolean>`(e.status in ('failed', 'waiting') or exists (
  select from orders o where o.account_id = e.account_id and o.id = e.order_id and o.status in ('paid', 'partially_refunded', 'disputed') and o.fulfillment_status <> 'fulfilled'))`

/** Looks through the next payment events of an account, and takes the content from those meant. What is still needed is left, unless forced. */
export async function emptyNextEvents (trx: Transaction<Database>, { account_id, cursor, forced, is_meant }: Look): Promise<EmptiedEvents> {
  const { rows } = await sql<{ id: string, is_meant: boolean, is_kept: boolean }>`
    select e.id, e.erased_at is null and ${is_meant} as is_meant, ${isNeeded} as is_kept from payment_events e
    where e.account_id = ${account_id} and e.id > ${cursor} order by e.id limit ${SCANNED}`.execute(trx)
  const meant = rows.filter((event) => event.is_meant)
  const kept = meant.filter((event) => event.is_kept && !forced)
  const emptied = await emptyEvents(trx, account_id, meant.filter((event) => !kept.includes(event)).map((event) => event.id))
  return { emptied, kept_ids: kept.map((event) => event.id), last: rows.at(-1)?.id ?? null }
}

/** The address as checkouts write it: as it is, in a form, and in JSON that spares what is not a letter. */
const spellingsOf = (email: string): string[] => [...new Set([email, encodeURIComponent(email), email.replace('@', '\\u0040'), email.replace('@', '\\u0040').replaceAll('+', '\\u002b')])]
  .map((text) => text.toLowerCase())

/**
 * Of the row `e` of payment_events: an address, in lower case, is in what the checkout sent or answered. Bytes need not be text, so they are compared as
 * PostgreSQL escapes them.
 */
export function mentions (email: string): RawBuilder<SqlBool> {
  const within = (text: RawBuilder<unknown>): RawBuilder<SqlBool> => sql<SqlBool>`exists (
    select from unnest(${spellingsOf(email)}::text[]) as s (spelling) where position(lower(encode(convert_to(s.spelling, 'UTF8'), 'escape')) in lower(encode(${text}, 'escape'))) > 0)`
  return sql<SqlBool>`(${within(sql`e.body`)} or ${within(sql`convert_to(coalesce(e.answers::text, '') || e.context::text, 'UTF8')`)})`
}
