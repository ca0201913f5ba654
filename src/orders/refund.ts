import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import { lockOrder } from './lock-order.js'
import { readStanding, type StandingLine } from './read-standing.js'
import { PERSON } from './standing.js'
import { takeFact } from './take-fact.js'

export interface Refund {
  account_id: string
  order_id: string
  actor: string
  /** these lines, by their external_id; without a quantity what is left of the line. Neither lines nor an amount: the whole order */
  lines?: Array<{ external_id: string, quantity?: number }> | undefined
  /** minor units */
  amount?: number | undefined
  reason?: string | undefined
}

/**
 * Takes a person's word that an order was refunded, whole or in part, where no checkout says so. The licenses of what is refunded return to stock, or
 * are revoked where somebody may have seen them; an amount alone takes none, unless it is the whole. The caller calls wakeWorker() after the commit.
 *
 * @throws Problem order-not-found
 * @throws Problem order-of-request
 * @throws Problem order-not-paid  nothing is left to refund
 * @throws Problem validation-failed  more than there is
 */
export async function refundOrder (trx: Transaction<Database>, { account_id, order_id, actor, lines, amount, reason }: Refund): Promise<void> {
  const order = await lockOrder(trx, account_id, order_id)
  if (order === undefined) throw new Problem('order-not-found')
  await assertNoRequest(trx, account_id, order_id)
  const { stored, standing, total_amount } = await readStanding(trx, account_id, order_id)
  if (['refunded', 'charged_back', 'cancelled'].includes(standing.status)) throw new Problem('order-not-paid', `it is ${standing.status}`)
  const left = total_amount === null ? Infinity : total_amount - standing.refunded_amount
  if (amount !== undefined && amount > left) throw fault('amount', `only ${left} of the order is left to refund`)
  const refunded = lines?.map((line, index) => checkedLine(stored.lines, line, `lines.${index}`))
  if (refunded !== undefined && new Set(refunded.map((line) => line.external_id)).size < refunded.length) throw fault('lines', 'names a line twice')
  await takeFact(trx, {
    account_id,
    source_id: PERSON,
    event_id: null,
    fact: {
      kind: 'refunded',
      ref: order_id,
      subject: newId('PF'), // each call is a refund of its own
      occurred_at: new Date().toISOString(),
      amount,
      is_full: refunded === undefined && amount === undefined,
      lines: refunded,
    },
    actor,
    reason,
  })
}

/** What a request was given goes back with the request. @throws Problem order-of-request */
export async function assertNoRequest (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const order = await trx.selectFrom('orders').select('external_id')
    .where('account_id', '=', account_id).where('id', '=', order_id).where('source_id', '=', 'requests').executeTakeFirst()
  if (order === undefined) return
  throw new Problem('order-of-request', { detail: `it fills ${order.external_id}: cancel its asset instead`, params: { request_id: order.external_id } })
}

function checkedLine (lines: readonly StandingLine[], { external_id, quantity }: { external_id: string, quantity?: number }, field: string) {
  const line = lines.find((known) => known.external_id === external_id)
  if (line === undefined) throw fault(`${field}.external_id`, 'the order has no such line')
  const left = line.quantity - line.ended_units
  if (left === 0 || (quantity ?? 0) > left) throw fault(`${field}.quantity`, `only ${left} of its units are left to refund`)
  return { external_id, quantity: quantity ?? left }
}

function fault (field: string, what: string): Problem {
  return new Problem('validation-failed', { detail: `${field}: ${what}`, errors: [`${field}: ${what}`] })
}
