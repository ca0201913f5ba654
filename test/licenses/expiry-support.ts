// Pools whose licenses expire, and time that passes for them.
import { Readable } from 'node:stream'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { tendDated, untendedPools } from '../../src/licenses/expire.js'
import { loadLicenses } from '../../src/licenses/load.js'
import type { LoadReport } from '../../src/licenses/merge.js'
import { poolOf, productOf, type Shop } from '../support/fixtures.js'

const DAY_MS = 86_400_000
/** So many days from now, as a load reads it. */
export const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString()

/** A key and the days that it is good for; null: for ever. */
export type Dated = readonly [key: string, days: number | null]

export async function loadDated ({ db, keyring, account_id }: Shop, pool_id: string, licenses: readonly Dated[]): Promise<LoadReport> {
  const document = { licenses: licenses.map(([key, days]) => ({ key, expires_at: days === null ? null : inDays(days) })) }
  return loadLicenses({ db, keyring, account_id, pool_id, bytes: Readable.from([Buffer.from(JSON.stringify(document))]), format: 'json', created_by: 'test' })
}

/** A product with a pool of its own, of these rules, in which these licenses were loaded one after another. */
export async function datedPool (
  shop: Shop, licenses: readonly Dated[], rules: { pick?: string, min_remaining_days?: number, on_shortage?: string } = {}
): Promise<{ product: string, pool_id: string }> {
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, [])
  await shop.db.updateTable('pools').set({ pick: 'soonest', ...rules }).where('id', '=', pool_id).execute()
  if (licenses.length > 0) await loadDated(shop, pool_id, licenses)
  return { product, pool_id }
}

/**
 * As if days passed for what was never sold. What was sold keeps its date: its history would have to move with it. Marks go back: where they were, nothing
 * had been counted yet that is sooner now.
 */
export async function age (db: Kysely<Database>, account_id: string, days: number): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const unsold = sql`account_id = ${account_id} and not exists (select from allocations a where a.account_id = l.account_id and a.license_id = l.id)`
    await sql`update licenses l set expires_at = expires_at - ${days} * interval '24 hours' where ${unsold} and expires_at is not null`.execute(trx)
    await sql`
      update stock s set expires_at = l.expires_at from licenses l
      where l.account_id = s.account_id and l.id = s.license_id and s.account_id = ${account_id} and l.expires_at is not null`.execute(trx)
    await sql`update pools set mark_expires_at = '-infinity', mark_position = 0 where account_id = ${account_id}`.execute(trx)
  })
}

/** The worker's job, once for each pool that needs it, until none does. */
export async function tend (db: Kysely<Database>): Promise<void> {
  for (let rounds = 0; rounds < 50; rounds++) {
    const pools = await untendedPools(db)
    if (pools.length === 0) return
    for (const pool of pools) await inTransaction(db, (trx) => tendDated(trx, pool))
  }
  throw new Error('the job comes to no rest')
}
