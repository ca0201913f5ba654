import { newId } from '../ids.js'
import type { Intake } from '../orders/intake.js'
import type { ReceivedEvent } from '../orders/paid-order.js'
import { toPaidOrder } from '../orders/to-paid-order.js'
import { Problem } from '../problems.js'
import { checkouts } from './checkouts.js'
import type { OpenSource } from './find-source.js'

/** A verified event: where it came from and what was signed. */
export interface SourceEvent { id: string, event_key: string, sent_at: Date, context?: Record<string, string>, body: Buffer }

export type Outcome =
  /** is_new: it is stored under the id given; else it may have been known under another */
  | { status: 'processed', order_id: string, is_new: boolean, type: string, occurred_at: string }
  | { status: 'failed' | 'ignored', reason: string, type: string, occurred_at: string }

/**
 * Translates a verified event and has its order placed. What cannot be processed is an outcome with a reason, and nothing of it is
 * in the database; the caller keeps it. A processed one is durable on return. `retry`: a replay, see `Arrival` in orders/take-in.ts.
 */
export async function receiveEvent (intake: Intake, source: Omit<OpenSource, 'secrets'>, { id, event_key, sent_at, context = {}, body }: SourceEvent, retry = false): Promise<Outcome> {
  let fact: { type: string, occurred_at: string } = { type: 'unknown', occurred_at: sent_at.toISOString() }
  try {
    const translated = checkouts[source.kind].translate({ body, sent_at, context }, {})
    const { type, occurred_at } = fact = translated
    if (translated.kind === 'ignored') return { status: 'ignored', reason: translated.reason, type, occurred_at }
    if (translated.kind !== 'paid') return { status: 'ignored', reason: `type: ${type} is not acted on`, type, occurred_at }
    const said = translated.order()
    const line_items = said.line_items.map((line) => ({ ...line, product: [line.product].flat()[0] ?? '' }))
    const order = toPaidOrder({ ...said, line_items } as never, { source_id: source.id, mode: source.mode, paid_at: occurred_at })
    if ((translated.mode ?? source.mode) !== source.mode) {
      throw new Problem('validation-failed', `mode: is ${translated.mode}, but the payment source is for ${source.mode} orders`)
    }
    const event: ReceivedEvent = { id, source_id: source.id, event_key, type, occurred_at, body }
    const { id: order_id, plain: is_new } = await intake.place({ account_id: source.account_id, order_id: newId('OR'), order, event, actor: source.id, retry })
    return { status: 'processed', order_id, is_new, type, occurred_at }
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error
    return { status: 'failed', reason: error.message, type: fact.type, occurred_at: fact.occurred_at }
  }
}
