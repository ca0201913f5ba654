/** What a checkout or a person may say of an order. */
export type FactKind = 'paid' | 'payment_failed' | 'cancelled' | 'refunded' | 'refund_failed' | 'disputed' | 'dispute_won' | 'dispute_lost'

/** A fact as its row has it. Amounts are minor units. */
export interface Fact {
  source_id: string
  kind: FactKind
  /** what was said last of one subject of one source counts */
  subject: string
  occurred_at: Date
  amount: number | null
  is_cumulative: boolean
  is_full: boolean
  lines: Array<{ external_id: string, quantity?: number | undefined }>
  holds: boolean
}

/** The order as it was taken in. */
export interface Terms {
  /** when it was first said to be paid */
  paid_at: Date
  total_amount: number | null
  lines: Array<{ external_id: string, quantity: number }>
}

export interface Standing {
  status: 'paid' | 'refunded' | 'partially_refunded' | 'disputed' | 'charged_back' | 'cancelled'
  /** minor units */
  refunded_amount: number
  /** a dispute is open and the order waits for its end: nothing is mailed, no line waits for stock */
  is_held: boolean
  /** of each line, by its external_id, how many of its units are over */
  ended_units: Map<string, number>
}

/** A person's word. It adds to what checkouts say, of which two may tell of the same refund. */
export const PERSON = 'api'

/** Of two facts of one moment, the later in this list counts: what closes beats what opens. */
const RANKS: readonly FactKind[] = ['payment_failed', 'paid', 'cancelled', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'dispute_lost']
const REFUNDS: readonly FactKind[] = ['refunded', 'refund_failed']
const DISPUTES: readonly FactKind[] = ['disputed', 'dispute_won', 'dispute_lost']

/**
 * What an order is, from the set of all that was said of it: in whatever order it came, and however often (docs/lifecycles.md has the cases).
 * Pure. `payment_failed` never touches an order that is paid.
 */
export function standingOf (order: Terms, facts: readonly Fact[]): Standing {
  const sorted = facts.toSorted(byMoment)
  const refunds = refundsOf(order, sorted.filter((fact) => REFUNDS.includes(fact.kind)))
  const disputes = lastWords(sorted.filter((fact) => DISPUTES.includes(fact.kind)))
  const open = disputes.filter((fact) => fact.kind === 'disputed')
  const is_lost = disputes.some((fact) => fact.kind === 'dispute_lost')
  const is_over = is_lost || refunds.is_full || isCancelled(order, sorted)
  const statuses: Array<[Standing['status'], boolean]> = [
    ['charged_back', is_lost], ['refunded', refunds.is_full], ['disputed', open.length > 0], ['cancelled', is_over], ['partially_refunded', refunds.is_any],
  ]
  return {
    status: statuses.find(([, is_so]) => is_so)?.[0] ?? 'paid',
    refunded_amount: refunds.amount,
    is_held: !is_over && open.some((fact) => fact.holds),
    ended_units: is_over ? new Map(order.lines.map((line) => [line.external_id, line.quantity])) : refunds.ended_units,
  }
}

/** A person's word is for good: a shop says "paid" again whenever somebody edits the order. */
function isCancelled (order: Terms, sorted: readonly Fact[]): boolean {
  if (sorted.some((fact) => fact.kind === 'cancelled' && fact.source_id === PERSON)) return true
  const last = sorted.findLast((fact) => fact.kind === 'paid' || fact.kind === 'cancelled')
  return last?.kind === 'cancelled' && last.occurred_at >= order.paid_at
}

interface Refunds { amount: number, is_full: boolean, is_any: boolean, ended_units: Map<string, number> }

function refundsOf (order: Terms, sorted: readonly Fact[]): Refunds {
  const last = lastWords(sorted)
  const failed = last.filter((fact) => fact.kind === 'refund_failed')
  const live = last.filter((fact) => fact.kind === 'refunded')
  const failedAfter = (fact: Fact): Fact[] => failed.filter((other) => other.source_id === fact.source_id && other.occurred_at >= fact.occurred_at)
  const total = order.total_amount ?? 0
  const sources = [...new Set(live.map((fact) => fact.source_id))].map((source_id) => {
    const own = live.filter((fact) => fact.source_id === source_id)
    const single = sum(own.filter((fact) => !fact.is_cumulative).map((fact) => fact.amount ?? 0))
    const latest = own.filter((fact) => fact.is_cumulative).at(-1)
    const taken_back = latest === undefined ? 0 : sum(failedAfter(latest).map((fact) => amountOf(fact, sorted)))
    return { source_id, amount: Math.max(single, (latest?.amount ?? 0) - taken_back), lines: own.flatMap((fact) => fact.lines) }
  })
  const ended_units = new Map(order.lines.map((line) => [line.external_id, Math.min(line.quantity, combined(sources, ({ lines }) =>
    sum(lines.filter(({ external_id }) => external_id === line.external_id).map(({ quantity = line.quantity }) => quantity))))]))
  const full = live.filter((fact) => fact.is_full && !(fact.is_cumulative && failedAfter(fact).length > 0))
  const amount = Math.max(combined(sources, (source) => source.amount), full.some((fact) => fact.amount === null) ? total : 0)
  const none_left = order.lines.length > 0 && order.lines.every((line) => ended_units.get(line.external_id) === line.quantity)
  const is_full = full.length > 0 || (total > 0 && amount >= total) || none_left
  const is_any = amount > 0 || live.some((fact) => !fact.is_cumulative) || [...ended_units.values()].some((units) => units > 0)
  return { amount, is_full, is_any, ended_units }
}

/** What all sources say together: two checkouts of one order tell of the same money, a person of what no checkout does. */
function combined<T extends { source_id: string }> (sources: readonly T[], of: (source: T) => number): number {
  const [checkouts, persons] = [sources.filter(({ source_id }) => source_id !== PERSON), sources.filter(({ source_id }) => source_id === PERSON)]
  return Math.max(0, ...checkouts.map(of)) + sum(persons.map(of))
}

/** Of a refund that failed: as it says itself, or as it was said before. */
function amountOf (failed: Fact, sorted: readonly Fact[]): number {
  const said = sorted.findLast((fact) => fact.source_id === failed.source_id && fact.subject === failed.subject && fact.kind === 'refunded' && !fact.is_cumulative)
  return failed.amount ?? said?.amount ?? 0
}

/** The last fact of each subject of each source, in their order. */
function lastWords (sorted: readonly Fact[]): Fact[] {
  const last = new Map(sorted.map((fact) => [JSON.stringify([fact.source_id, fact.subject]), fact]))
  return sorted.filter((fact) => last.get(JSON.stringify([fact.source_id, fact.subject])) === fact)
}

/** By when they happened; facts of one moment in an order that depends on nothing but what they say. */
function byMoment (a: Fact, b: Fact): number {
  const text = (fact: Fact): string => JSON.stringify([fact.is_full, fact.lines, fact.source_id, fact.subject])
  return a.occurred_at.getTime() - b.occurred_at.getTime() || RANKS.indexOf(a.kind) - RANKS.indexOf(b.kind) || (a.amount ?? 0) - (b.amount ?? 0) ||
    (text(a) < text(b) ? -1 : Number(text(a) > text(b)))
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
