import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

const UNLISTED_MAX = 10_000

/** What a checkout says it has sold. Moments are ISO 8601 and included. */
export interface Listed { external_ids: readonly string[], paid_from?: string | undefined, paid_to?: string | undefined }

export interface Compared {
  /** how many of the list are orders here, by their external_id or another name */
  known: number
  /** no order, but an event that failed or waits */
  kept: Array<{ external_id: string, event_id: string, status: 'failed' | 'waiting', reason: string }>
  /** nothing at all */
  unknown: string[]
  /** orders of the period that the list lacks */
  unlisted: Array<{ id: string, external_id: string }>
}

/** Compares a checkout's list of its paid orders with what is here of the source, each id once. Changes nothing. */
export async function reconcile (db: Reader, source: { account_id: string, id: string }, { external_ids, paid_from, paid_to }: Listed): Promise<Compared> {
  const { account_id, id: source_id } = source
  const listed = [...new Set(external_ids)]
  const { rows } = await sql<{ external_id: string, is_known: boolean, event_id: string | null, status: 'failed' | 'waiting', reason: string }>`
    select l.external_id, o.id is not null or r.order_id is not null as is_known, e.id as event_id, e.status, e.reason
    from unnest(${listed}::text[]) with ordinality as l (external_id, nth)
    left join orders o on o.account_id = ${account_id} and o.source_id = ${source_id} and o.external_id = l.external_id
    left join order_refs r on r.account_id = ${account_id} and r.source_id = ${source_id} and r.ref = l.external_id
    left join lateral (
      select e.id, e.status, e.reason from payment_events e
      where e.account_id = ${account_id} and e.source_id = ${source_id} and e.ref = l.external_id and e.status in ('failed', 'waiting')
      order by e.received_at desc limit 1) e on o.id is null and r.order_id is null
    order by l.nth`.execute(db)
  const missing = rows.filter((row) => !row.is_known)
  return {
    known: rows.length - missing.length,
    kept: missing.flatMap(({ external_id, event_id, status, reason }) => event_id === null ? [] : [{ external_id, event_id, status, reason }]),
    unknown: missing.filter((row) => row.event_id === null).map((row) => row.external_id),
    unlisted: paid_from === undefined ? [] : await unlisted(db, source, { listed, paid_from, paid_to: paid_to ?? new Date().toISOString() }),
  }
}

interface Period { listed: readonly string[], paid_from: string, paid_to: string }

async function unlisted (
  db: Reader, { account_id, id }: { account_id: string, id: string }, { listed, paid_from, paid_to }: Period
): Promise<Compared['unlisted']> {
  const { rows } = await sql<{ id: string, external_id: string }>`
    select o.id, o.external_id from orders o
    where o.account_id = ${account_id} and o.source_id = ${id} and o.paid_at between ${paid_from} and ${paid_to}
      and o.external_id <> all(${listed}::text[])
      and not exists (select from order_refs r where r.account_id = o.account_id and r.source_id = o.source_id and r.order_id = o.id and r.ref = any(${listed}::text[]))
    order by o.paid_at, o.id limit ${UNLISTED_MAX}`.execute(db)
  return rows
}
