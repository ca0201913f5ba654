import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

interface Withdrawal { account_id: string, license_id: string, reason: string, actor: string }

/**
 * Takes unsold stock out of its pool for good: nobody gets it. Whole row or nothing. A license that an order is just
 * taking counts as taken.
 *
 * @throws Problem license-not-found
 * @throws Problem license-not-available  it is allocated, or withdrawn before
 */
export async function withdrawLicense (trx: Transaction<Database>, { account_id, license_id, reason, actor }: Withdrawal): Promise<void> {
  const taken = await trx
    .with('picked', (db) => db.selectFrom('stock').select(['pool_id', 'position'])
      .where('account_id', '=', account_id).where('license_id', '=', license_id).forUpdate().skipLocked())
    .deleteFrom('stock').using('picked').where('stock.account_id', '=', account_id)
    .whereRef('stock.pool_id', '=', 'picked.pool_id').whereRef('stock.position', '=', 'picked.position')
    .returning('stock.pool_id').executeTakeFirst()
  if (taken === undefined) throw await whyNotAvailable(trx, account_id, license_id)
  await trx.insertInto('withdrawals').values({ account_id, license_id, pool_id: taken.pool_id, reason, created_by: actor }).execute()
  await recordEvent(trx, { account_id, type: 'license.withdrawn', subject_id: license_id, actor, data: { pool_id: taken.pool_id, reason } })
}

async function whyNotAvailable (trx: Transaction<Database>, account_id: string, license_id: string): Promise<Problem> {
  const license = await trx.selectFrom('licenses').select('id').where('account_id', '=', account_id).where('id', '=', license_id).executeTakeFirst()
  return new Problem(license === undefined ? 'license-not-found' : 'license-not-available')
}
