import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { assertProducts } from './create.js'
import { writeRoutes } from './route.js'
import type { PoolChange } from './schema.js'

/** What decides which stock is given, and to whom. */
const POLICY = ['on_shortage', 'pick', 'min_remaining_days'] as const

/**
 * Replaces what is given of a pool and says whether its policy is another now: then lines that wait may be served
 * differently, and the caller fills the pool before it commits. Locks the pool as loads do. Lines taken in before keep
 * their pool and their slots.
 *
 * @throws Problem pool-not-found
 * @throws Problem validation-failed  the mode cannot change: its licenses would be sold to the other kind of order
 * @throws Problem product-not-found
 * @throws Problem pool-route-taken
 */
export async function updatePool (
  trx: Transaction<Database>, { account_id, id, change }: { account_id: string, id: string, change: Static<typeof PoolChange> }, actor: string
): Promise<{ policy_changed: boolean }> {
  const { mode, ...given } = change
  const pool = await trx.selectFrom('pools').select(['mode', 'product_ids', 'currency', ...POLICY])
    .where('account_id', '=', account_id).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
  if (pool === undefined) throw new Problem('pool-not-found')
  if (mode !== undefined && mode !== pool.mode) {
    const fault = `mode: is ${pool.mode} for good; make another pool`
    throw new Problem('validation-failed', { detail: fault, errors: [fault] })
  }
  if (given.product_ids !== undefined) await assertProducts(trx, account_id, given.product_ids)
  const changed = POLICY.filter((field) => given[field] !== undefined && given[field] !== pool[field])
  // licenses that were passed over may be fit now, or have another place in the row
  const mark = changed.some((field) => field !== 'on_shortage') ? { mark_expires_at: sql<Date>`'-infinity'`, mark_position: 0 } : {}
  await trx.updateTable('pools').set({ ...given, ...mark, updated_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', id).execute()
  if (given.product_ids !== undefined || given.currency !== undefined) {
    const { product_ids = pool.product_ids, currency = pool.currency } = given
    await writeRoutes(trx, { account_id, id, mode: pool.mode, product_ids, currency })
  }
  await recordEvent(trx, { account_id, type: 'pool.updated', subject_id: id, actor, data: { fields: Object.keys(given) } })
  return { policy_changed: changed.length > 0 }
}
