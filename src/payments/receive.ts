import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { inTransaction } from '../database/transaction.js'
import { newId } from '../ids.js'
import { releaseHoldFor } from '../holds/release-for.js'
import type { Intake } from '../orders/intake.js'
import { findOrderId } from '../orders/find-order-id.js'
import { forgetErased } from '../orders/forget-erased.js'
import { takeFact } from '../orders/take-fact.js'
import { Problem, type ProblemType } from '../problems.js'
import type { Fact, Lookup, OrderChange, SourceOptions } from './checkout.js'
import { checkouts } from './checkouts.js'
import { findProducts } from './find-products.js'
import type { Source } from './find-source.js'
import { keepEvent, markProcessed, type Kept, type SourceEvent } from './keep-event.js'
import { readOrder } from './read-order.js'

/** Where events go. */
export interface Doors { db: Kysely<Database>, intake: Intake }

export type Outcome =
  /** is_new: it is stored under the id given; else it may have been known under another */
  | { status: 'processed', order_id: string, is_new: boolean }
  | { status: 'ignored' | 'waiting', reason: string }
  | { status: 'failed', reason: string, problem: ProblemType }
  /** kept as `waiting` until these calls to the checkout are answered */
  | { status: 'unanswered', lookups: Lookup[] }

type Paid = Extract<Fact, { kind: 'paid' }>
type Change = Extract<Fact, { change: unknown }>
type Head = Pick<Kept, 'type' | 'occurred_at' | 'ref'>

/** What is open after a crash between two facts of one event is gone on with after this long. */
const RESUME_MS = 30_000

/** How long a renewal waits for the order that it renews, whose event may come after it; and how soon it looks first, after that with each lease. */
const PARENT_WAIT_MS = 60 * 60_000
const PARENT_RETRY_MS = 5000

/**
 * Translates a verified event and takes in what it says: an order through the intake, all else as facts. What cannot be processed is kept, with the
 * reason, and nothing of it has an effect. Durable on return. `retry`: a replay, see `Arrival` in orders/take-in.ts.
 */
export async function receiveEvent (doors: Doors, source: Source, event: SourceEvent, retry = false): Promise<Outcome> {
  const head: Head = { type: 'unknown', occurred_at: event.sent_at.toISOString() }
  const keep = async <T extends Outcome>(outcome: T, kept: Pick<Kept, 'status' | 'reason' | 'due_ms' | 'asks'>): Promise<T> => {
    await inTransaction(doors.db, (trx) => keepNamed(trx, source, event, { ...head, ...kept }))
    return outcome
  }
  try {
    const facts = [checkouts[source.kind].translate(event, source.options)].flat()
    Object.assign(head, facts.map(({ type, occurred_at }) => ({ type, occurred_at }))[0])
    for (const fact of facts) assertMode(fact, source)
    const lookups = facts.flatMap((fact) => fact.kind === 'unanswered' ? fact.lookups : [])
    if (lookups.length > 0) {
      assertKey(source.options)
      return await keep({ status: 'unanswered', lookups }, { status: 'waiting', reason: 'the checkout has to be asked for what the event does not carry', due_ms: 0, asks: true })
    }
    const said = facts.filter((fact): fact is Paid | Change => fact.kind !== 'ignored' && fact.kind !== 'unanswered')
    if (said.length === 0) {
      const reason = facts.flatMap((fact) => fact.kind === 'ignored' ? fact.reason : [])[0] ?? 'it says nothing'
      return await keep({ status: 'ignored', reason }, { status: 'ignored', reason })
    }
    return await takeIn(doors, source, event, said, head, retry)
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error
    const { message: reason, type: problem } = error
    if (problem === 'parent-not-found' && Date.now() - (event.received_at?.getTime() ?? Date.now()) < PARENT_WAIT_MS) {
      return keep({ status: 'waiting', reason }, { status: 'waiting', reason, due_ms: PARENT_RETRY_MS })
    }
    return keep({ status: 'failed', reason, problem }, { status: 'failed', reason })
  }
}

/** Keeps an event, without its content where the order that it names was erased. */
async function keepNamed (trx: Transaction<Database>, source: Source, event: SourceEvent, kept: Kept): Promise<void> {
  const id = await keepEvent(trx, source, event, kept)
  const order_id = kept.ref === undefined ? undefined : await findOrderId(trx, source.account_id, source.id, kept.ref)
  if (id !== undefined && order_id !== undefined) await forgetErased(trx, source.account_id, id, [order_id])
}

/** Whatever an event says, it says of its mode: a test refund must not reach a live order. */
function assertMode ({ mode }: Fact, source: Source): void {
  if ((mode ?? source.mode) === source.mode) return
  throw new Problem('validation-failed', `mode: is ${mode}, but the payment source is for ${source.mode} orders`)
}

function assertKey ({ has_api_key }: SourceOptions): void {
  if (has_api_key === true) return
  throw new Problem('validation-failed', 'api_key: the event does not carry all that an order needs, and the payment source has no key to ask the checkout with; ' +
    'give it one by PUT /v1/payment-sources/{id} and replay the event')
}

/** Changes first, so that a new order is placed as it stands after them. */
async function takeIn (doors: Doors, source: Source, event: SourceEvent, said: Array<Paid | Change>, head: Head, retry: boolean): Promise<Outcome> {
  const paid = said.find((fact) => fact.kind === 'paid')
  const changes = said.filter((fact) => fact.kind !== 'paid').map((fact) => ({ fact, change: fact.change() }))
  head.ref = changes[0]?.change.ref
  if (paid === undefined) return inTransaction(doors.db, (trx) => takeChanges(trx, source, event, { changes, head, is_all: true }))
  const order = paid.order()
  head.ref = order.external_id
  const line_items = await findProducts(doors.db, source.account_id, order.line_items, source.options)
  if (line_items.length === 0) {
    const reason = 'line_items: the source\'s product_map says of each that no license goes with it'
    await inTransaction(doors.db, (trx) => keepEvent(trx, source, event, { ...head, status: 'ignored', reason }))
    return { status: 'ignored', reason }
  }
  const read = readOrder({ ...order, line_items }, { source_id: source.id, mode: source.mode, paid_at: paid.occurred_at })
  if (changes.length > 0) await inTransaction(doors.db, (trx) => takeChanges(trx, source, event, { changes, head, is_all: false }))
  const { sent_at: _sent_at, received_at: _received_at, ...received } = event
  const { id: order_id, plain: is_new } = await doors.intake.place({
    account_id: source.account_id,
    order_id: newId('OR'),
    order: read,
    event: { ...received, source_id: source.id, type: paid.type, occurred_at: paid.occurred_at },
    actor: source.id,
    retry,
  })
  return { status: 'processed', order_id, is_new }
}

interface Changes { changes: Array<{ fact: Change, change: OrderChange }>, head: Head, /** no paid order comes with them */ is_all: boolean }

/** The event and its facts commit together. Where an order is not known yet, both wait for it. */
async function takeChanges (trx: Transaction<Database>, source: Source, event: SourceEvent, { changes, head, is_all }: Changes): Promise<Outcome> {
  const { account_id, id: source_id, options } = source
  const reason = `no order is known as "${head.ref ?? ''}" yet`
  const id = await keepEvent(trx, source, event, { ...head, status: 'waiting', reason, due_ms: is_all ? undefined : RESUME_MS })
  if (id === undefined) return { status: 'ignored', reason: 'it was processed or erased before' }
  const orders: string[] = []
  let waits = false
  for (const { fact: { kind }, change: { ref, hold_id } } of changes) {
    if (kind === 'payment_failed') await releaseHoldFor(trx, { account_id, mode: source.mode, ref, hold_id, actor: source_id })
  }
  for (const { fact: { kind, occurred_at }, change } of changes) {
    const taken = await takeFact(trx, { account_id, source_id, event_id: id, fact: { kind, occurred_at, ...change }, holds: options.on_dispute !== 'none', actor: source_id })
    if (taken !== undefined) orders.push(taken.order_id)
    else waits ||= kind !== 'payment_failed'
  }
  await forgetErased(trx, account_id, id, orders)
  if (!is_all || waits) return { status: 'waiting', reason }
  const [order_id] = orders
  if (order_id === undefined) {
    const nothing = 'a payment failed, of which nothing is here'
    await keepEvent(trx, source, event, { ...head, status: 'ignored', reason: nothing })
    return { status: 'ignored', reason: nothing }
  }
  await markProcessed(trx, account_id, id, order_id)
  return { status: 'processed', order_id, is_new: false }
}
