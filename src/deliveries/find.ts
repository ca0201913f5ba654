import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { AttemptWords, DeliveryWords, ReportWords } from './schema.js'

/** The deliveries of an account, in no order: for a list to narrow. */
export function deliveriesOf (db: Reader, account_id: string) {
  return db.selectFrom('deliveries').select([
    'id', 'order_id', 'product_id', 'license_ids', 'to', 'reason', 'requested_by', 'status', 'attempts', 'next_attempt_at', 'message_id',
    'last_error', 'created_at', 'sent_at',
  ]).where('account_id', '=', account_id).$narrowType<DeliveryWords>()
}

/**
 * One delivery with every try, and what was reported of it later.
 *
 * @throws Problem delivery-not-found
 */
export async function findDelivery (db: Reader, account_id: string, id: string) {
  const delivery = await deliveriesOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (delivery === undefined) throw new Problem('delivery-not-found')
  const attempts = await db.selectFrom('delivery_attempts').select(['attempt', 'started_at', 'finished_at', 'outcome', 'response'])
    .where('account_id', '=', account_id).where('delivery_id', '=', id).orderBy('attempt').$narrowType<AttemptWords>().execute()
  const reports = await db.selectFrom('delivery_reports').select(['action', 'status', 'diagnostic', 'received_at'])
    .where('account_id', '=', account_id).where('delivery_id', '=', id).orderBy('received_at').$narrowType<ReportWords>().execute()
  return { ...delivery, attempt_log: attempts, reports }
}
