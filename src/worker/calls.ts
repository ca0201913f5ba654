import { claimEvents, type ClaimedEvent } from '../payments/claim-events.js'
import { answerEvent, type Desk } from '../payments/answer-event.js'
import { callSupply, type Purchasing } from '../supplies/call.js'
import { claimSupplyOrders, type ClaimedSupplyOrder } from '../supplies/claim.js'
import { claimMessages, type ClaimedMessage } from '../webhooks/claim.js'
import { sendMessage, type Outbox } from '../webhooks/send.js'
import type { Outgoing } from './send-all.js'

/** A call to a webhook is over after its timeout; what is left is for the note, while a database comes back. */
const NOTE_MS = 5000

/** What webhooks are told. */
export function webhooks (outbox: Outbox, concurrency: number): Outgoing<ClaimedMessage> {
  return {
    name: 'call webhooks',
    concurrency,
    claim: (trx, busy) => claimMessages(trx, { concurrency, busy, lease_ms: outbox.line.timeout_ms + NOTE_MS }),
    send: (message, cut) => sendMessage(outbox, message, cut),
  }
}

/** Where licenses come from that no pool has. */
export function supplies (purchasing: Purchasing, concurrency: number): Outgoing<ClaimedSupplyOrder> {
  return {
    name: 'call supplies',
    concurrency,
    claim: (trx, busy) => claimSupplyOrders(trx, { concurrency, busy }),
    send: (demand, cut) => callSupply(purchasing, demand, cut),
  }
}

/** How many checkouts are asked at a time: two calls to each, and most events need none. */
const LOOK_UPS_MAX = 8
/** An event is asked for in a token, a few look-ups and as many rounds: seldom more than four calls. */
const LOOK_UP_CALLS = 4

/** What payment events do not carry. */
export function lookUps (office: Omit<Desk, 'calls_ms'>): Outgoing<ClaimedEvent> {
  const calls_ms = LOOK_UP_CALLS * office.line.timeout_ms
  const desk = { ...office, calls_ms }
  return {
    name: 'ask checkouts',
    concurrency: LOOK_UPS_MAX,
    claim: (trx, busy) => claimEvents(trx, { concurrency: LOOK_UPS_MAX, busy, lease_ms: calls_ms + NOTE_MS }),
    send: (event, cut) => answerEvent(desk, event, cut),
  }
}
