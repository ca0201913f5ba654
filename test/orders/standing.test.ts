import t from 'tap'
import { standingOf, type Fact, type FactKind, type Terms } from '../../src/orders/standing.js'

const at = (hour: number): Date => new Date(Date.UTC(2026, 0, 1, hour))
const said = (kind: FactKind, hour: number, more: Partial<Fact> = {}): Fact =>
  ({ source_id: 'PS-1', kind, subject: '', occurred_at: at(hour), amount: null, is_cumulative: false, is_full: false, lines: [], holds: true, ...more })

/** Paid at 0 h, 1000 in all: line 1 of two units, line 2 of one. */
const order: Terms = { paid_at: at(0), total_amount: 1000, lines: [{ external_id: '1', quantity: 2 }, { external_id: '2', quantity: 1 }] }

const full = { is_full: true }
const upTo = (amount: number): Partial<Fact> => ({ amount, is_cumulative: true })
const of = (subject: string, more: Partial<Fact> = {}): Partial<Fact> => ({ subject, ...more })
const units = (external_id: string, quantity?: number): Partial<Fact> => ({ lines: [{ external_id, quantity }] })
const other = { source_id: 'PS-2' }
const person = { source_id: 'api' }

/** What was said; the status; the amount refunded; the units of the two lines that are over; whether it is held. */
const cases: Array<[name: string, facts: Fact[], status: string, refunded: number, ended: [number, number], held?: true]> = [
  ['nothing', [], 'paid', 0, [0, 0]],
  ['a payment failed, another did not', [said('payment_failed', 1)], 'paid', 0, [0, 0]],
  ['paid twice', [said('paid', 1)], 'paid', 0, [0, 0]],

  ['refunded whole', [said('refunded', 1, full)], 'refunded', 1000, [2, 1]],
  ['refunded by amount, all of it', [said('refunded', 1, { amount: 1000 })], 'refunded', 1000, [2, 1]],
  ['refunded by amount, some of it', [said('refunded', 1, { amount: 400 })], 'partially_refunded', 400, [0, 0]],
  ['two amounts that make the whole', [said('refunded', 1, of('a', { amount: 400 })), said('refunded', 2, of('b', { amount: 600 }))], 'refunded', 1000, [2, 1]],
  ['one refund, told twice', [said('refunded', 1, of('a', { amount: 400 })), said('refunded', 2, of('a', { amount: 400 }))], 'partially_refunded', 400, [0, 0]],
  ['one refund, told anew with another amount', [said('refunded', 1, of('a', { amount: 400 })), said('refunded', 2, of('a', { amount: 300 }))], 'partially_refunded', 300, [0, 0]],
  ['a refund of no amount and no lines', [said('refunded', 1)], 'partially_refunded', 0, [0, 0]],

  ['a unit', [said('refunded', 1, units('1', 1))], 'partially_refunded', 0, [1, 0]],
  ['a unit, twice', [said('refunded', 1, of('a', units('1', 1))), said('refunded', 2, of('b', units('1', 1)))], 'partially_refunded', 0, [2, 0]],
  ['more units than there are', [said('refunded', 1, of('a', units('1', 2))), said('refunded', 2, of('b', units('1', 2)))], 'partially_refunded', 0, [2, 0]],
  ['a line', [said('refunded', 1, { amount: 600, ...units('1') })], 'partially_refunded', 600, [2, 0]],
  ['every line', [said('refunded', 1, of('a', units('1'))), said('refunded', 2, of('b', units('2', 1)))], 'refunded', 0, [2, 1]],
  ['a line that the order does not have', [said('refunded', 1, units('9'))], 'partially_refunded', 0, [0, 0]],

  ['a sum so far', [said('refunded', 1, upTo(300)), said('refunded', 2, upTo(700))], 'partially_refunded', 700, [0, 0]],
  ['a sum so far that is all', [said('refunded', 1, upTo(1000))], 'refunded', 1000, [2, 1]],
  ['a sum so far and its parts', [said('refunded', 1, of('a', { amount: 300 })), said('refunded', 1, upTo(300))], 'partially_refunded', 300, [0, 0]],
  ['a sum so far, and a refund in it that failed then', [said('refunded', 1, of('a', { amount: 300 })), said('refunded', 2, upTo(700)), said('refund_failed', 3, of('a'))],
    'partially_refunded', 400, [0, 0]],
  ['a sum so far after one failed', [said('refunded', 1, of('a', { amount: 300 })), said('refund_failed', 2, of('a')), said('refunded', 3, upTo(400))], 'partially_refunded', 400, [0, 0]],
  ['all of it by a sum, and a refund that failed then', [said('refunded', 1, { ...upTo(1000), ...full }), said('refund_failed', 2, of('a', { amount: 1000 }))], 'paid', 0, [0, 0]],

  ['a refund that failed', [said('refunded', 1, of('a', full)), said('refund_failed', 2, of('a'))], 'paid', 0, [0, 0]],
  ['a refund that failed and was told late', [said('refund_failed', 2, of('a')), said('refunded', 1, of('a', full))], 'paid', 0, [0, 0]],
  ['a refund that failed in the same moment', [said('refund_failed', 1, of('a')), said('refunded', 1, of('a', full))], 'paid', 0, [0, 0]],
  ['a refund that failed and was made again', [said('refund_failed', 1, of('a')), said('refunded', 2, of('a', full))], 'refunded', 1000, [2, 1]],
  ['another refund failed', [said('refunded', 1, of('a', units('1', 1))), said('refund_failed', 2, of('b'))], 'partially_refunded', 0, [1, 0]],

  ['cancelled', [said('cancelled', 1)], 'cancelled', 0, [2, 1]],
  ['cancelled, then paid', [said('cancelled', 1), said('paid', 2)], 'paid', 0, [0, 0]],
  ['cancelled by a person, then paid', [said('cancelled', 1, person), said('paid', 2)], 'cancelled', 0, [2, 1]],
  ['cancelled as it was paid', [said('cancelled', 0)], 'cancelled', 0, [2, 1]],
  ['cancelled before it was paid', [said('cancelled', -1)], 'paid', 0, [0, 0]],
  ['cancelled and refunded', [said('cancelled', 1), said('refunded', 2, full)], 'refunded', 1000, [2, 1]],
  ['cancelled and partly refunded', [said('cancelled', 1), said('refunded', 2, { amount: 400 })], 'cancelled', 400, [2, 1]],

  ['disputed', [said('disputed', 1, of('d'))], 'disputed', 0, [0, 0], true],
  ['disputed, and the source goes on', [said('disputed', 1, of('d', { holds: false }))], 'disputed', 0, [0, 0]],
  ['won', [said('disputed', 1, of('d')), said('dispute_won', 2, of('d'))], 'paid', 0, [0, 0]],
  ['lost', [said('disputed', 1, of('d')), said('dispute_lost', 2, of('d'))], 'charged_back', 0, [2, 1]],
  ['lost, then won', [said('dispute_lost', 1, of('d')), said('dispute_won', 2, of('d'))], 'paid', 0, [0, 0]],
  ['won and lost in one moment', [said('dispute_lost', 1, of('d')), said('dispute_won', 1, of('d'))], 'charged_back', 0, [2, 1]],
  ['one won, another open', [said('dispute_won', 2, of('d')), said('disputed', 1, of('e'))], 'disputed', 0, [0, 0], true],
  ['one open, another lost', [said('disputed', 2, of('d')), said('dispute_lost', 1, of('e'))], 'charged_back', 0, [2, 1]],
  ['partly refunded, then disputed', [said('refunded', 1, units('1', 1)), said('disputed', 2, of('d'))], 'disputed', 0, [1, 0], true],
  ['cancelled and disputed', [said('cancelled', 1), said('disputed', 2, of('d'))], 'disputed', 0, [2, 1]],
  ['refunded and disputed', [said('refunded', 1, full), said('disputed', 2, of('d'))], 'refunded', 1000, [2, 1]],
  ['refunded and lost', [said('refunded', 1, { amount: 400 }), said('dispute_lost', 2, of('d'))], 'charged_back', 400, [2, 1]],

  ['two checkouts tell of one refund', [said('refunded', 1, { amount: 400, ...units('1', 1) }), said('refunded', 1, { ...other, subject: 'x', amount: 400, ...units('1', 1) })],
    'partially_refunded', 400, [1, 0]],
  ['a checkout and a person tell of one each', [said('refunded', 1, { amount: 400, ...units('1', 1) }), said('refunded', 1, { ...person, subject: 'x', amount: 400, ...units('1', 1) })],
    'partially_refunded', 800, [2, 0]],
  ['the same subject of two sources', [said('refunded', 1, of('a', full)), said('refund_failed', 2, { ...other, subject: 'a' })], 'refunded', 1000, [2, 1]],
]

// Guarantee: each case is what docs/lifecycles.md says it is, in whatever order its facts are given.
for (const [name, facts, status, refunded_amount, ended, held] of cases) {
  t.test(name, async (t) => {
    for (const given of [facts, facts.toReversed()]) {
      const { ended_units, ...standing } = standingOf(order, given)
      t.same({ ...standing, ended: [ended_units.get('1'), ended_units.get('2')] }, { status, refunded_amount, is_held: held === true, ended })
    }
  })
}

// Guarantee: without a total no amount is the whole; and lines that come later make a refunded order a partly refunded one.
t.test('what the order does not say', async (t) => {
  t.match(standingOf({ ...order, total_amount: null }, [said('refunded', 1, { amount: 5000 })]), { status: 'partially_refunded', refunded_amount: 5000 })
  t.match(standingOf({ ...order, total_amount: null }, [said('refunded', 1, full)]), { status: 'refunded', refunded_amount: 0 })
  t.match(standingOf({ ...order, total_amount: 0 }, [said('refunded', 1, { amount: 0 })]), { status: 'partially_refunded' }, 'of what was free')
  const one = { ...order, lines: order.lines.slice(0, 1) }
  t.equal(standingOf(one, [said('refunded', 1, units('1'))]).status, 'refunded')
  t.equal(standingOf(order, [said('refunded', 1, units('1'))]).status, 'partially_refunded')
})
