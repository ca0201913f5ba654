import fc from 'fast-check'
import { sql, type Kysely } from 'kysely'
import t, { type Test } from 'tap'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { resendOrder } from '../../src/deliveries/resend.js'
import { checkInvariants } from '../../src/fsck/invariants.js'
import { revealLicense } from '../../src/licenses/reveal.js'
import type { NewFact } from '../../src/orders/facts.js'
import { findUnsettled, settleFacts } from '../../src/orders/adopt-facts.js'
import { placeWithin } from '../../src/orders/place-within.js'
import { Problem } from '../../src/problems.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop, type Shop, type Stocked } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { at, pay, pictureOf, say, type Line } from './facts.js'
import { arrivalOf, held, inStock, keys, range, restock, setPool } from './support.js'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

async function shopOf (t: Test): Promise<Shop> {
  const { db } = await testDatabase(t)
  return vendorShop(db)
}

/** Fact of the order A-1 at an hour. */
const fact = (kind: NewFact['kind'], hour: number, more: Partial<NewFact> = {}): NewFact => ({ kind, ref: 'A-1', subject: '', occurred_at: at(hour), ...more })
const line = (external_id: string, quantity?: number) => ({ lines: [{ external_id, ...(quantity === undefined ? {} : { quantity }) }] })

interface Goods { unit: string, common: string, pools: Stocked[] }

/** Two products with stock enough for any order below: one license per unit, and one for a whole line. */
async function stocked (shop: Shop): Promise<Goods> {
  const [unit, common] = [await productOf(shop), await productOf(shop)]
  const run = newRun()
  const pools = [await poolOf(shop, unit, keys(12, `${run}-U`)), await poolOf(shop, common, keys(6, `${run}-C`))]
  await setPool(shop.db, pools[1]?.pool_id as string, { quantity_rule: 'line' })
  return { unit, common, pools }
}
let runs = 0
const newRun = (): string => `R${++runs}`

interface Said { key: string, fact?: Omit<NewFact, 'ref'> }
interface History { lines: Array<{ is_common: boolean, quantity: number }>, total_amount: number | undefined, said: Said[] }

const kinds: Array<NewFact['kind']> = ['refunded', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'dispute_lost', 'cancelled', 'paid', 'payment_failed']
const aFact = fc.record({
  kind: fc.constantFrom(...kinds),
  subject: fc.constantFrom('s1', 's2'),
  hour: fc.integer({ min: 0, max: 6 }),
  amount: fc.option(fc.constantFrom(100, 250, 900), { nil: undefined }),
  is_cumulative: fc.boolean(),
  is_full: fc.boolean(),
  line: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
  quantity: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
})
const aHistory: fc.Arbitrary<History> = fc.record({
  lines: fc.array(fc.record({ is_common: fc.boolean(), quantity: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 3 }),
  total_amount: fc.constantFrom(undefined, 900, 1000),
  said: fc.array(aFact, { minLength: 1, maxLength: 6 }).map((facts) => [{ key: 'paid' }, ...facts.map(({ hour, line, quantity, kind, amount, ...rest }, i): Said => ({
    key: `e${i}`,
    fact: {
      ...rest,
      kind,
      occurred_at: at(hour),
      amount,
      is_cumulative: rest.is_cumulative && amount !== undefined && line === undefined,
      is_full: rest.is_full && kind === 'refunded' && line === undefined && amount === undefined,
      lines: line === undefined || kind !== 'refunded' ? [] : [{ external_id: line, ...(quantity === undefined ? {} : { quantity }) }],
    },
  }))]),
})
/** The same, in another order, with some of it said more than once. */
const aTelling = aHistory.chain((history) => fc.record({
  history: fc.constant(history),
  told: fc.tuple(
    fc.shuffledSubarray(history.said, { minLength: history.said.length }), fc.array(fc.constantFrom(...history.said), { maxLength: 4 })
  ).chain(([all, again]) =>
    fc.array(fc.nat({ max: all.length }), { minLength: again.length, maxLength: again.length }).map((places) =>
      again.reduce((told, event, i) => told.toSpliced(places[i] as number, 0, event), all))),
  /** at which steps somebody sees what the order holds, for the second property */
  sightings: fc.array(fc.nat({ max: 8 }), { maxLength: 3 }),
}))

/** Tells one order's story on goods of its own; `after` each step. Returns the order. */
async function tell (
  shop: Shop, goods: Goods, history: History, said: readonly Said[], after: (step: number, order_id: string | undefined) => Promise<void> = async () => {}
): Promise<string> {
  const total = history.total_amount === undefined ? {} : { total_amount: history.total_amount }
  const lines = history.lines.map(({ is_common, quantity }): Line => [is_common ? goods.common : goods.unit, quantity])
  const external_id = newRun()
  let order_id: string | undefined
  for (const [step, { key, fact }] of said.entries()) {
    const event_key = `${external_id} ${key}`
    if (fact === undefined) order_id = await pay(shop, event_key, lines, external_id, total)
    else if (fact.kind === 'paid') order_id = await pay(shop, event_key, lines, external_id, { paid_at: fact.occurred_at, ...total })
    else await say(shop, event_key, { ...fact, ref: external_id })
    await after(step, order_id)
  }
  return order_id as string
}

async function assertSound (db: Kysely<Database>): Promise<void> {
  const violations = await checkInvariants(db)
  if (violations.length > 0) throw new Error(JSON.stringify(violations))
}

const PAUSED = { seed: SEED, numRuns: 40, endOnFailure: false }

// Guarantee: with the worker paused, any order of arrival of what is said of an order, and any repetition, ends in the same standing, the same licenses in
// the same slots, the same mails and the same stock; whatever comes between, the database is sound.
t.test(`the order of events never matters (seed ${SEED})`, async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  let n = 0
  await fc.assert(fc.asyncProperty(aTelling, async ({ history, told }) => {
    const outcomes = []
    for (const said of [history.said, told]) {
      const goods = await stocked(shop)
      const order_id = await tell(shop, goods, history, said)
      const { mails, ...picture } = await pictureOf(db, order_id)
      const told_of = (product_id: string) => mails.filter((mail) => mail.product_id === product_id).map(({ status, licenses }) => ({ status, licenses }))
      outcomes.push({
        ...picture,
        mails: [told_of(goods.unit), told_of(goods.common)],
        stock: await Promise.all(goods.pools.map((pool) => inStock(db, pool.pool_id))),
      })
    }
    const [one, other] = outcomes.map((outcome) => JSON.stringify(outcome, null, 1))
    if (one !== other) throw new Error(`as it happened: ${one ?? ''}\nas it was told: ${other ?? ''}`)
    if (++n % 5 === 0) await assertSound(db)
  }), PAUSED)
  await assertInvariants(t, db)
})

// Guarantee: whatever is said of orders and in whatever order, a license that somebody may have seen is never in stock again.
t.test(`what was seen is never in stock again (seed ${SEED})`, async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  await fc.assert(fc.asyncProperty(aTelling, async ({ history, told, sightings }) => {
    await tell(shop, await stocked(shop), history, told, async (step, order_id) => {
      if (order_id !== undefined && sightings.includes(step)) await claim(db)
      else if (order_id !== undefined && sightings.includes(step + 4)) await revealOne(shop, order_id)
      const { rows } = await sql<{ license_id: string }>`select distinct license_id from stock join license_sightings using (account_id, license_id)`.execute(db)
      if (rows.length > 0) throw new Error(`in stock, though seen: ${JSON.stringify(rows)}`)
    })
  }), { ...PAUSED, numRuns: 25 })
  await assertInvariants(t, db)
})

async function revealOne ({ db, keyring, account_id }: Shop, order_id: string): Promise<void> {
  const license_id = (await held(db, order_id)).at(-1)
  if (license_id !== undefined) await inTransaction(db, (trx) => revealLicense(trx, keyring, { account_id, license_id, actor: 'SU-1' }))
}

/** A shop with one product in stock, and its order A-1 of so many units, paid at hour 0. */
async function sold (t: Test, quantity: number, stock: number, more: { total_amount?: number } = {}) {
  const shop = await shopOf(t)
  const product = await productOf(shop)
  const pool = await poolOf(shop, product, keys(stock))
  return { shop, product, pool, id: await pay(shop, 'paid', [[product, quantity]], 'A-1', more) }
}

const claim = async (db: Kysely<Database>) =>
  inTransaction(db, (trx) => claimDeliveries(trx, { limit: 100, lease_ms: 60_000, domain: 'shop.example.com' }))
const endings = async (db: Kysely<Database>, order_id: string): Promise<unknown[]> =>
  db.selectFrom('allocations').select(['license_id', 'unit', 'ended_as']).where('order_id', '=', order_id).orderBy('position').execute()
const eventsOf = async (db: Kysely<Database>, subject_id: string): Promise<string[]> =>
  (await db.selectFrom('events').select('type').where('subject_id', '=', subject_id).orderBy('id').execute()).map((event) => event.type)
const standing = async (db: Kysely<Database>, event_key: string) =>
  db.selectFrom('payment_events').select(['status', 'order_id', 'reason']).where('event_key', '=', event_key).executeTakeFirstOrThrow()

// Guarantee: what is refunded unseen goes to who waits longest, with a mail, and the rest of its mail is said without it. If the refund fails, the order
// gets its own license back where that is in stock, else it waits for the next.
t.test('units that nobody saw', async (t) => {
  const { shop, product, pool: { pool_id, license_ids }, id } = await sold(t, 3, 3, { total_amount: 900 })
  const { db } = shop
  const oldest = await pay(shop, 'paid2', [[product, 1]], 'A-2')
  await say(shop, 'r1', fact('refunded', 1, { subject: 'r1', amount: 600, ...line('1', 2) }))
  t.match(await pictureOf(db, id), { status: 'partially_refunded', refunded_amount: 600, fulfillment_status: 'fulfilled', held: [{ slot: '-1 1' }], mails: [{ licenses: [1] }] })
  t.same(await held(db, oldest), [license_ids[1]], 'the first that came back')
  t.match(await pictureOf(db, oldest), { mails: [{ status: 'planned', licenses: [2] }] })
  t.equal(await inStock(db, pool_id), 1)
  await say(shop, 'f1', fact('refund_failed', 2, { subject: 'r1' }))
  t.same(await held(db, id), [license_ids[0], license_ids[2]], 'one is its own again, the other went to somebody')
  t.match(await pictureOf(db, id), { status: 'paid', refunded_amount: 0, fulfillment_status: 'partial' })
  await restock(shop, pool_id, ['NEXT'])
  t.match(await pictureOf(db, id), { fulfillment_status: 'fulfilled', held: { length: 3 } })
  t.same((await eventsOf(db, id)).filter((type) => type !== 'order.fulfilled'), ['order.paid', 'order.partially_refunded', 'order.restored'])
  await assertInvariants(t, db)
})

// Guarantee: what somebody may have seen is revoked, which only a refund that failed or a dispute won takes back: then it is the very license, as seen as
// before, so that the next refund revokes it again. The history stays.
t.test('units that somebody saw', async (t) => {
  const { shop, pool: { pool_id, license_ids }, id } = await sold(t, 2, 2)
  const { db, account_id, keyring } = shop
  await inTransaction(db, (trx) => revealLicense(trx, keyring, { account_id, license_id: license_ids[1] as string, actor: 'SU-1' }))
  await say(shop, 'r1', fact('refunded', 1, { subject: 'r1', ...line('1', 1) }))
  t.same(await held(db, id), [license_ids[1]], 'the unseen one goes first')
  await say(shop, 'r2', fact('refunded', 2, { subject: 'r2', is_full: true }))
  t.equal(await inStock(db, pool_id), 1)
  await say(shop, 'f2', fact('refund_failed', 3, { subject: 'r2' }))
  t.same(await held(db, id), [license_ids[1]], 'the very one')
  await say(shop, 'lost', fact('dispute_lost', 4, { subject: 'd' }))
  t.equal(await inStock(db, pool_id), 1, 'revoked again')
  await say(shop, 'won', fact('dispute_won', 5, { subject: 'd' }))
  t.same(await held(db, id), [license_ids[1]])
  t.match(await endings(db, id), [{ ended_as: 'released' }, { ended_as: 'reinstated' }, { ended_as: 'reinstated' }, { ended_as: null }])
  t.match((await pictureOf(db, id)).lines, [{ ended_units: 1, fulfillment_status: 'fulfilled' }])
  await assertInvariants(t, db)
})

// Guarantee: one license for a whole line ends with its last unit.
t.test('a common license', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const { common, pools } = await stocked(shop)
  const id = await pay(shop, 'paid', [[common, 3]], 'A-1')
  for (const [n, left] of [[1, 1], [2, 1], [3, 0]] as const) {
    await say(shop, `r${n}`, fact('refunded', n, { subject: `r${n}`, ...line('1', 1) }))
    t.match(await pictureOf(db, id), { lines: [{ ended_units: n }], held: { length: left }, mails: { length: left } })
  }
  t.equal(await inStock(db, pools[1]?.pool_id as string), 6)
  await assertInvariants(t, db)
})

// Guarantee: while a dispute is open nothing of the order is mailed and it waits for nothing, so others are served; won, it goes on where it was. A mail that
// was being sent goes on, and is not tried again.
t.test('held while a dispute is open', async (t) => {
  const { shop, product, pool: { pool_id }, id } = await sold(t, 2, 2)
  const { db, account_id } = shop
  const waiting = await pay(shop, 'paid2', [[product, 2]], 'A-2')
  const other = await pay(shop, 'paid3', [[product, 1]], 'A-3')
  await say(shop, 'd2', { ...fact('disputed', 1, { subject: 'd2' }), ref: 'A-2' })
  await say(shop, 'd1', fact('disputed', 1, { subject: 'd1' }))
  t.match(await pictureOf(db, id), { status: 'disputed', is_held: true, held: { length: 2 }, mails: [] })
  t.match(await pictureOf(db, waiting), { status: 'disputed', is_held: true, fulfillment_status: 'unfulfilled' })
  await t.rejects(inTransaction(db, (trx) => resendOrder(trx, account_id, id, 'SU-1')), new Problem('order-not-paid', 'it is disputed'))
  await restock(shop, pool_id, ['FRESH-1'])
  t.equal((await held(db, other)).length, 1, 'nobody waits behind a held order')
  t.same((await claim(db)).map((mail) => mail.order_id), [other])
  await assertInvariants(t, db)
  await say(shop, 'w1', fact('dispute_won', 2, { subject: 'd1' }))
  t.match(await pictureOf(db, id), { status: 'paid', is_held: false, mails: [{ status: 'planned', licenses: [1, 2] }] })
  await say(shop, 'w2', { ...fact('dispute_won', 2, { subject: 'd2' }), ref: 'A-2' })
  t.match(await pictureOf(db, waiting), { status: 'paid', fulfillment_status: 'backordered' })
  await restock(shop, pool_id, ['FRESH-2', 'FRESH-3'])
  t.match(await pictureOf(db, waiting), { fulfillment_status: 'fulfilled' })
  t.equal((await claim(db)).length, 2)
  await say(shop, 'd1 again', fact('disputed', 3, { subject: 'd3' }))
  t.match(await pictureOf(db, id), { is_held: true, mails: [{ status: 'sending' }] })
  await sql`update deliveries set next_attempt_at = now() where order_id = ${id} and status = 'sending'`.execute(db)
  t.same(await claim(db), [], 'and when its worker dies nobody goes on with it')
  await say(shop, 'goes on', { ...fact('disputed', 3, { subject: 'd4' }), ref: 'A-2' }, 'api-live', false)
  t.match(await pictureOf(db, waiting), { status: 'disputed', is_held: false }, 'where the source is set so')
  await assertInvariants(t, db)
})

// Guarantee: mails that are planned become one without losing a license, also where one that says all of them again is planned beside them.
t.test('made one beside a resend', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, [])
  const id = await pay(shop, 'paid', [[product, 1], [product, 1]], 'A-1')
  for (const key of ['FIRST', 'SECOND']) await restock(shop, pool_id, [key])
  t.equal((await pictureOf(db, id)).mails.length, 2, 'each was planned as its license came')
  await inTransaction(db, (trx) => resendOrder(trx, account_id, id, 'SU-1'))
  await say(shop, 'r1', fact('refunded', 2, { subject: 'r1', amount: 100 }))
  const { rows } = await sql<{ license_id: string }>`
    select unnest(license_ids) as license_id from deliveries where order_id = ${id} and reason <> 'resend' and status <> 'cancelled'`.execute(db)
  t.same(rows.map(({ license_id }) => license_id).sort(), (await held(db, id)).sort())
  t.equal((await pictureOf(db, id)).mails.length, 2, 'one, and the resend')
  t.equal(rows.length, 2)
  await assertInvariants(t, db)
})

// Guarantee: a fact that comes first waits for its order, by any of its names, and stands from the start; its event is then processed.
t.test('what is said before the order is paid', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(5))
  t.equal(await say(shop, 'r1', { ...fact('refunded', 2, { subject: 'r1', ...line('1', 1) }), ref: 'pay_1' }), undefined)
  t.equal(await say(shop, 'r1', { ...fact('refunded', 2, { subject: 'r1', ...line('1', 1) }), ref: 'pay_1' }), undefined, 'again')
  t.equal(await say(shop, 'p', fact('payment_failed', 1)), undefined)
  t.match(await standing(db, 'r1'), { status: 'waiting' })
  const id = await pay(shop, 'paid', [[product, 3]], 'A-1', { refs: ['pay_1', 'pay_2'] })
  t.match(await pictureOf(db, id), { status: 'partially_refunded', held: { length: 2 }, mails: [{ licenses: [1, 2] }] })
  t.match(await standing(db, 'r1'), { status: 'processed', order_id: id, reason: null })
  t.equal(await say(shop, 'r2', { ...fact('refunded', 3, { subject: 'r2', is_full: true }), ref: 'pay_2' }), id)
  t.equal(await inStock(db, pool_id), 5)
  // the two at one moment: neither saw the other
  const late = await pay(shop, 'paid2', [[product, 1]], 'A-2')
  await sql`insert into payment_facts (account_id, source_id, ref, kind, occurred_at) select account_id, source_id, 'A-2', 'cancelled', now() from orders limit 1`.execute(db)
  const found = await findUnsettled(db)
  t.same(found, [{ account_id: shop.account_id, order_id: late }])
  for (const order of found) await inTransaction(db, (trx) => settleFacts(trx, order))
  t.match(await pictureOf(db, late), { status: 'cancelled', held: [] })
  t.same(await findUnsettled(db), [])
  await assertInvariants(t, db)
})

// Guarantee: the fast way of taking orders in leaves to the careful one what facts wait for, or another name is known of; and writes the names of the others.
t.test('the plain statement', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(5))
  const place = async (external_id: string, refs: string[]) =>
    inTransaction(db, (trx) => placeWithin(trx, arrivalOf(shop, [[product, 1]], external_id, { refs, paid_at: at(0), total_amount: 70 })))
  for (const [n, ref] of ['A-1', 'pay_2'].entries()) await say(shop, `c${n}`, { ...fact('cancelled', 1), ref })
  for (const [external_id, refs] of [['A-1', []], ['A-2', ['pay_0', 'pay_2']]] as Array<[string, string[]]>) {
    t.match(await pictureOf(db, (await place(external_id, refs)).id), { status: 'cancelled', held: [] }, external_id)
  }
  const { id } = await place('A-3', ['pay_3', 'A-3', 'pay_3'])
  t.same((await place('pay_3', [])).id, id, 'it has that name already')
  t.equal(await say(shop, 'r', { ...fact('refunded', 1, { amount: 70 }), ref: 'pay_3' }), id)
  t.match(await pictureOf(db, id), { status: 'refunded', refunded_amount: '70' })
  await assertInvariants(t, db)
})

// Guarantee: two sources meet in one order where an event names the other's, whichever comes first; without that each has its own.
t.test('two sources of one order', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(10))
  for (const id of ['PS-shop', 'PS-pay']) await db.insertInto('payment_sources').values({ account_id, id, kind: 'standard-webhooks', name: id, mode: 'live' }).execute()
  const byShop = async (n: number) => pay(shop, `shop ${n}`, [[product, 2]], `A-${n}`, { source_id: 'PS-shop' })
  const byPayment = async (n: number) =>
    pay(shop, `pay ${n}`, [[product, 2]], `ch_${n}`, { source_id: 'PS-pay', same_as: { source_id: 'PS-shop', external_id: `A-${n}` }, line_items: [{ external_id: 'li_1', product, quantity: 2, unit_amount: null }] })
  const one = await byShop(1)
  t.equal(await byPayment(1), one)
  const two = await byPayment(2)
  t.equal(await byShop(2), two)
  t.match(await db.selectFrom('orders').select(['source_id', 'external_id']).where('id', '=', two).executeTakeFirst(), { source_id: 'PS-shop', external_id: 'A-2' })
  t.not(await pay(shop, 'alone', [[product, 1]], 'A-1', { source_id: 'PS-pay' }), one, 'the same number alone is not the same order')
  t.equal(await say(shop, 'r', { ...fact('refunded', 1, { is_full: true }), ref: 'ch_2' }, 'PS-pay'), two)
  t.match(await pictureOf(db, two), { status: 'refunded', held: [] })
  t.match(await pictureOf(db, one), { status: 'paid', held: { length: 2 }, mails: { length: 1 } })
  await t.rejects(pay(shop, 'none', [[product, 1]], 'ch_9', { source_id: 'PS-pay', same_as: { source_id: 'PS-none', external_id: '1' } }), new Problem('validation-failed', 'same_as.source_id: the account has no live payment source PS-none'))
  await assertInvariants(t, db)
})

// Guarantee: a source that sends an event per line adds lines, each once, mailed together while that is possible; a refund of a line that is still to come
// waits for it.
t.test('an order that comes line by line', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(10))
  const part = async (n: number, quantity: number) => pay(shop, `part ${n} of ${quantity}`, [], 'A-1', {
    is_partial: true, total_amount: 100 * n, line_items: [{ external_id: `${n}`, product, quantity, unit_amount: null }],
  })
  const id = await part(1, 2)
  await say(shop, 'r2', fact('refunded', 1, { subject: 'r2', ...line('2', 1) }))
  t.equal(await part(2, 2), id)
  t.match(await pictureOf(db, id), { status: 'partially_refunded', held: { length: 3 }, mails: [{ licenses: [1, 2, 3] }] })
  t.equal((await pictureOf(db, id)).mails.length, 1)
  t.equal(await part(2, 2), id)
  t.equal(await pay(shop, 'told again', [], 'A-1', { is_partial: true, line_items: [{ external_id: '2', product, quantity: 2, unit_amount: null }] }), id)
  t.match((await pictureOf(db, id)).lines, { length: 2 })
  await t.rejects(part(2, 3), /another currency, mode, line or quantity/)
  t.equal(Number((await db.selectFrom('orders').select('total_amount').where('id', '=', id).executeTakeFirstOrThrow()).total_amount), 300)
  await assertInvariants(t, db)
})

// Guarantee: the same refund twenty times in parallel with the payment and with somebody who waits ends as one refund: every license has one holder, and who
// waits is served.
t.test('a refund that races with the payment', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(3))
  for (const round of range(4)) {
    const ref = `R-${round}`
    const large = { ...fact('refunded', 1, { subject: ref, is_full: true }), ref }
    const [id, waiting] = await Promise.all([
      pay(shop, `paid ${ref}`, [[product, 3]], ref),
      pay(shop, `waiting ${ref}`, [[product, 2]], `W-${round}`),
      ...range(20).map(() => say(shop, `refund ${ref}`, large)),
      pay(shop, `paid ${ref}`, [[product, 3]], ref),
    ])
    for (const found of await findUnsettled(db)) await inTransaction(db, (trx) => settleFacts(trx, found))
    t.match(await pictureOf(db, id as string), { status: 'refunded', held: [], mails: [] })
    t.match(await pictureOf(db, waiting as string), { fulfillment_status: 'fulfilled', held: { length: 2 }, mails: { length: 1 } })
    t.equal((await db.selectFrom('payment_facts').select('id').where('ref', '=', ref).execute()).length, 1)
    await say(shop, `w ${ref}`, { ...large, ref: `W-${round}`, subject: 'w' })
    t.equal(await inStock(db, pool_id), 3)
    await assertInvariants(t, db)
  }
})

// Guarantee: a refund that fails while its line waits for stock makes the line wait for all of it again, at its place.
t.test('a refund that fails while the line waits', async (t) => {
  const shop = await shopOf(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, [])
  const order_id = await pay(shop, 'paid', [[product, 3]], 'A-1')
  const behind = await pay(shop, 'behind', [[product, 1]], 'A-2')
  await say(shop, 'e1', fact('refunded', 1, { subject: 'r1', ...line('1', 2) }))
  await say(shop, 'e2', fact('refund_failed', 2, { subject: 'r1' }))
  await assertInvariants(t, shop.db)
  await restock(shop, pool_id, keys(3))
  t.strictSame([(await held(shop.db, order_id)).length, (await held(shop.db, behind)).length], [3, 0])
  await assertInvariants(t, shop.db)
})
