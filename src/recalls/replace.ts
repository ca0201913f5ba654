import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { lockHolderOf } from './find-holder.js'
import { replaceHeld } from './replace-held.js'

interface BadLicense { account_id: string, license_id: string, reason: string, actor: string }

/**
 * Takes a bad license from the order that holds it, for good, and gives its slot the next one of the same pool, or changes nothing. The caller calls
 * wakeWorker() after the commit: the new key is mailed.
 *
 * @throws Problem license-not-found
 * @throws Problem license-not-allocated  no order holds it: it is in stock, or ended before
 * @throws Problem order-not-paid  a dispute is open, and its order gets nothing while it is
 * @throws Problem out-of-stock  or somebody waits for what there is
 */
export async function replaceLicense (trx: Transaction<Database>, { account_id, license_id, reason, actor }: BadLicense): Promise<void> {
  const holders = await lockHolderOf(trx, account_id, license_id)
  if (holders.some((order) => order.is_held)) throw new Problem('order-not-paid', 'a dispute is open; revoke the license, or wait until it is closed')
  const { emptied, replaced } = await replaceHeld(trx, holders, { account_id, license_ids: [license_id], cause: 'replaced', reason, actor })
  if (emptied.length === 0) throw new Problem('license-not-allocated') // it ended while its order was being locked
  if (replaced.length === 0) throw new Problem('out-of-stock', { detail: 'there is none to replace it with; load some, or revoke it', params: { license_id } })
}
