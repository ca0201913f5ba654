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
import { Problem } from '../../src/problems.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop, type Shop, type Stocked } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { at, pay, pictureOf, say, type Line } from './facts.js'
import { held, inStock, keys, range, restock, setPool } from './support.js'

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
  kind: fc.constantFrom(...kinds), subject: fc.constantFrom('s1', 's2'), hour: fc.integer({ min: 0, max: 6 }), amount: fc.option(fc.constantFrom(100, 250, 900), { nil: undefined }),
  is_cumulative: fc.boolean(), is_full: fc.boolean(), line: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }), quantity: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
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
  told: fc.tuple(fc.shuffledSubarray(history.said, { minLength: history.said.length }), fc.array(fc.constantFrom(...history.said), { maxLength: 4 })).chain(([all, again]) =>
    fc.array(fc.nat({ max: all.length }), { minLength: again.length, maxLength: again.length }).map((places) =>
      again.reduce((told, event, i) => told.toSpliced(places[i] as number, 0, event), all))),
  /** at which steps somebody sees what the order holds, for the second property */
  sightings: fc.array(fc.nat({ max: 8 }), { maxLength: 3 }),
}))

/** Tells one order's story on goods of its own; `after` each step. Returns the order. */
async function tell (shop: Shop, goods: Goods, history: History, said: readonly Said[], after: (step: number, order_id: string | undefined) => Promise<void> = async () => {}): Promise<string> {
  const lines = history.lines.map(({ is_common, quantity }): Line => [is_common ? goods.common : goods.unit, quantity])
  const external_id = newRun()
  let order_id: string | undefined
  for (const [step, { key, fact }] of said.entries()) {
    const event_key = `${external_id} ${key}`
    if (fact === undefined) order_id = await pay(shop, event_key, lines, external_id, history.total_amount === undefined ? {} : { total_amount: history.total_amount })
    else if (fact.kind === 'paid') order_id = await pay(shop, event_key, lines, external_id, { paid_at: fact.occurred_at, ...(history.total_amount === undefined ? {} : { total_amount: history.total_amount }) })
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
      outcomes.push({
        ...picture, mails: mails.map((mail) => ({ ...(mail as { product_id: string }), product_id: (mail as { product_id: string }).product_id === goods.unit })),
        stock: await Promise.all(goods.pools.map((pool) => inStock(db, pool.pool_id))),
      })
    }
    const [one, other] = outcomes.map((outcome) => JSON.stringify({ ...outcome, mails: outcome.mails.toSorted((a, b) => Number(a.product_id) - Number(b.product_id)) }, null, 1))
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
      if (order_id !== undefined && sightings.includes(step)) await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 100, lease_ms: 60_000, domain: 'shop.example.com' }))
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
