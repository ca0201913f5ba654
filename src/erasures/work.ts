import { sql, type Kysely, type RawBuilder, type Selectable, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Erasures } from '../database/types.js'
import { recordEvent } from '../events/record.js'
import type { Keyring } from '../sealing.js'
import { eraseOrder } from './erase-order.js'
import { eraseTierAccount } from './erase-tier-account.js'
import { emptyNextEvents, mentions } from './next-events.js'
import { isOf, nextOrders } from './next-orders.js'
import { nextTierAccount } from './next-tier-account.js'
import { isInUse, isUndelivered } from './open.js'
import { KEPT_IDS_MAX } from './schema.js'
import { openSubject, type Subject } from './subject.js'

export interface ErasureId { account_id: string, id: string }
type Erasure = Selectable<Erasures>

/** What one step did. `last`: how far it looked; null: to the end of the phase; undefined: not at all, as a mail is being sent. */
interface Step { last: string | null | undefined, kept_ids?: string[], orders?: number, payment_events?: number, purchases?: number, tier_accounts?: number }

const NOBODY: RawBuilder<SqlBool> = sql<SqlBool>`false`

/** The erasures that are under way. */
export async function runningErasures (db: Kysely<Database>): Promise<ErasureId[]> {
  return db.selectFrom('erasures').select(['account_id', 'id']).where('status', '=', 'running').orderBy('created_at').limit(20).execute()
}

/**
 * Does one step of an erasure: erases one order or tier account, or looks through some rows. What it did, its counts and how far it came commit together, so
 * another worker goes on exactly there after a crash; one that another works on is passed by. False: there is nothing to do now.
 */
export async function workOnErasure (trx: Transaction<Database>, keyring: Keyring, { account_id, id }: ErasureId): Promise<boolean> {
  const erasure = await trx.selectFrom('erasures').selectAll().where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'running')
    .forUpdate().skipLocked().executeTakeFirst()
  if (erasure === undefined) return false
  const subject = erasure.sealed_subject === null ? {} : openSubject(keyring, account_id, id, erasure.sealed_subject)
  const step = await stepOf(erasure.phase)(trx, erasure, subject)
  await note(trx, erasure, step)
  return step.last !== undefined
}

function stepOf (phase: string): (trx: Transaction<Database>, erasure: Erasure, subject: Subject) => Promise<Step> {
  switch (phase) {
    case 'orders': return stepOrders
    case 'payment_events': return stepPaymentEvents
    default: return stepTierAccounts
  }
}

/** Erases the first order that is found, and counts those before it that are left. */
async function stepOrders (trx: Transaction<Database>, erasure: Erasure, { email, order_id }: Subject): Promise<Step> {
  const { account_id, id: erasure_id, cursor, orders_before, forced, created_by: actor } = erasure
  if (erasure.kind === 'retention' && orders_before === null) return { last: null }
  const is_kept = orders_before !== null ? isInUse(orders_before) : forced ? NOBODY : isUndelivered
  // later ones are of a later customer
  const is_meant = orders_before !== null
    ? sql<SqlBool>`(o.created_at < ${orders_before} and o.customer <> '{}')`
    : email !== undefined ? sql<SqlBool>`(o.created_at <= ${erasure.created_at} and ${isOf(email)})` : sql<SqlBool>`o.id = ${order_id}`
  const { found, last } = await nextOrders(trx, { account_id, cursor }, { is_meant, is_kept })
  const next = found.find((order) => !order.is_kept)
  const kept_ids = found.filter((order) => next === undefined || order.id < next.id).map((order) => order.id)
  if (next === undefined) return { last, kept_ids }
  const erased = await eraseOrder(trx, { account_id, order_id: next.id, is_kept, erasure_id, actor })
  switch (erased.outcome) {
    case 'busy': return { last: undefined }
    case 'kept': return { last: next.id, kept_ids: [...kept_ids, next.id] }
    case 'gone': return { last: next.id, kept_ids }
    case 'erased': return { last: next.id, kept_ids, orders: 1, payment_events: erased.payment_events }
  }
}

async function stepPaymentEvents (trx: Transaction<Database>, erasure: Erasure, { email }: Subject): Promise<Step> {
  const { account_id, cursor, forced, payment_events_before } = erasure
  const is_meant = payment_events_before !== null
    ? sql<SqlBool>`e.received_at < ${payment_events_before}`
    : email !== undefined ? sql<SqlBool>`(e.received_at <= ${erasure.created_at} and ${mentions(email)})` : undefined
  if (is_meant === undefined) return { last: null }
  const { emptied, kept_ids, last } = await emptyNextEvents(trx, { account_id, cursor, forced, is_meant })
  return { last, kept_ids, payment_events: emptied }
}

async function stepTierAccounts (trx: Transaction<Database>, erasure: Erasure, subject: Subject): Promise<Step> {
  const { account_id: provider_id, id: erasure_id, cursor, forced, created_by: actor } = erasure
  const next = await nextTierAccount(trx, { provider_id, cursor }, subject)
  if (next === undefined) return { last: null }
  const erased = await eraseTierAccount(trx, { provider_id, id: next, forced, erasure_id, actor })
  switch (erased.outcome) {
    case 'busy': return { last: undefined }
    case 'kept': return { last: next, kept_ids: [next] }
    case 'erased': {
      const { orders, payment_events, purchases } = erased
      return { last: next, tier_accounts: 1, orders, payment_events, purchases }
    }
  }
}

/** How far it came and what it did; at the end of the last phase it is done, and nothing says any more whom it was about. */
async function note (trx: Transaction<Database>, { account_id, id, phase, kept_ids: before, created_by: actor }: Erasure, step: Step): Promise<void> {
  const { last, kept_ids = [], orders = 0, payment_events = 0, purchases = 0, tier_accounts = 0 } = step
  const is_over = last === null && phase !== 'orders'
  const row = await trx.updateTable('erasures').set({
    orders: sql<number>`orders + ${orders}`,
    payment_events: sql<number>`payment_events + ${payment_events}`,
    purchases: sql<number>`purchases + ${purchases}`,
    tier_accounts: sql<number>`tier_accounts + ${tier_accounts}`,
    kept: sql<number>`kept + ${kept_ids.length}`,
    kept_ids: [...before, ...kept_ids].slice(0, KEPT_IDS_MAX),
    ...(last === undefined ? {} : { cursor: last ?? '' }),
    ...(last === null && phase === 'orders' ? { phase: 'payment_events' } : {}),
    ...(is_over ? { status: 'done', finished_at: sql<Date>`now()`, sealed_subject: null, fingerprint: null } : {}),
  }).where('account_id', '=', account_id).where('id', '=', id)
    .returning(['kind', 'orders', 'payment_events', 'purchases', 'tier_accounts', 'kept']).executeTakeFirstOrThrow()
  if (is_over) await recordEvent(trx, { account_id, type: 'erasure.done', subject_id: id, actor, data: row })
}
