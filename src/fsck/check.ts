import { sql, type RawBuilder } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { DB } from '../database/types.js'

/** One invariant: a sentence that must hold for every row of a table. */
export type Check = {
  name: string
  /** whose rows are looked at; only counted, for the report */
  over: keyof DB
} & (
  /** a query whose rows, with one text column `id`, are those that break it */
  | { broken: RawBuilder<{ id: string }> }
  /** where SQL cannot say it: looks by itself, and returns the ids */
  | { find: (db: Reader) => Promise<string[]> })

/** Where every license is now. */
export const states = sql`
  select account_id, license_id, pool_id, 'available' as state from stock
  union all select account_id, license_id, pool_id, 'held' from held_licenses
  union all select account_id, license_id, pool_id, case when ended_as is null then 'allocated' else 'revoked' end from allocations
    where ended_as is null or ended_as = 'revoked'
  union all select account_id, license_id, pool_id, 'expired' from expirations
  union all select account_id, license_id, pool_id, 'withdrawn' from withdrawals`
