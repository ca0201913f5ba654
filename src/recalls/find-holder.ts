import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { lockHolders, type Holder } from './lock-holders.js'

/**
 * Locks the order that holds a license, with all that moves with it.
 *
 * @throws Problem license-not-found
 * @throws Problem license-not-allocated  no order holds it
 */
export async function lockHolderOf (trx: Transaction<Database>, account_id: string, license_id: string): Promise<Holder[]> {
  const held = await trx.selectFrom('allocations').select(['order_id', 'pool_id'])
    .where('account_id', '=', account_id).where('license_id', '=', license_id).where('ended_as', 'is', null).executeTakeFirst()
  if (held !== undefined) return lockHolders(trx, account_id, [held.order_id], [held.pool_id])
  const license = await trx.selectFrom('licenses').select('id').where('account_id', '=', account_id).where('id', '=', license_id).executeTakeFirst()
  throw new Problem(license === undefined ? 'license-not-found' : 'license-not-allocated')
}
