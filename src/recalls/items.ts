import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

export const OUTCOMES = ['withdrawn', 'replaced', 'short', 'failed', 'skipped'] as const
export type Outcome = typeof OUTCOMES[number]

export interface NewItem { license_id: string, outcome: Outcome, order_id?: string | null, detail?: string | null }
interface RecallKey { account_id: string, id: string }

/** Writes down what a recall did about licenses: once for each, as the primary key has it. The caller holds the recall. */
export async function writeItems (trx: Transaction<Database>, { account_id, id }: RecallKey, items: readonly NewItem[]): Promise<void> {
  if (items.length === 0) return
  await sql`
    insert into recall_items (account_id, recall_id, license_id, outcome, order_id, detail)
    select ${account_id}, ${id}, i.license_id, i.outcome, i.order_id, i.detail
    from unnest(${items.map((item) => item.license_id)}::text[], ${items.map((item) => item.outcome)}::text[],
      ${items.map((item) => item.order_id ?? null)}::text[], ${items.map((item) => item.detail ?? null)}::text[]) as i (license_id, outcome, order_id, detail)`.execute(trx)
  const counts = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, items.filter((item) => item.outcome === outcome).length]))
  await addCounts(trx, { account_id, id }, counts)
}

/** Adds to the counts of a recall, which are those of its items. */
export async function addCounts (trx: Transaction<Database>, { account_id, id }: RecallKey, counts: Partial<Record<Outcome, number>>): Promise<void> {
  await trx.updateTable('recalls')
    .set((set) => Object.fromEntries(OUTCOMES.map((outcome) => [outcome, set(outcome, '+', counts[outcome] ?? 0)])))
    .where('account_id', '=', account_id).where('id', '=', id).execute()
}
