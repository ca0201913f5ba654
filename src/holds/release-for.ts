import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { releaseHold } from './release.js'

interface FailedPayment {
  account_id: string
  mode: 'live' | 'test'
  /** what the checkout calls the payment or its session: perhaps what the hold was made under */
  ref: string
  /** the hold that the event names itself */
  hold_id?: string | undefined
  actor: string | null
}

/**
 * Releases the open hold of a payment that failed, if there is one: by its id, or by the session that it was made for. Locks the pools of its lines: to be
 * called before any lock on an order. The caller calls wakeWorker() after the commit.
 */
export async function releaseHoldFor (trx: Transaction<Database>, { account_id, mode, ref, hold_id, actor }: FailedPayment): Promise<void> {
  const hold = await trx.selectFrom('holds').select('id').where('account_id', '=', account_id).where('mode', '=', mode).where('status', '=', 'open')
    .where((where) => hold_id === undefined ? where('external_id', '=', ref) : where('id', '=', hold_id)).executeTakeFirst()
  if (hold === undefined) return
  // committed meanwhile, it is an order's: then the payment did not fail for good
  await releaseHold(trx, { account_id, hold_id: hold.id, actor, reason: 'the payment failed', lenient: true })
}
