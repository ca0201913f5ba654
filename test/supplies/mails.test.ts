// One mail says all licenses of a line that supplies bring, whatever else happens to its order meanwhile.
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { Story } from '../orders/everything-story.js'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'

/** An order of two units that supplies are asked for one by one, of which the first has come, and of one unit of another product, in stock and mailed. */
async function halfSupplied (t: Test): Promise<Story> {
  const { db } = await testDatabase(t)
  const pool = { rule: 'unit', policy: 'backorder', on_renewal: 'issue' } as const
  const story = await Story.open(db, { pools: [pool, pool, pool], supplies: [{ per: 'unit', behaviour: 'succeed' }] })
  await story.load(1, 1)
  await story.order([[0, 2], [1, 1]], { hold: undefined, parent: undefined, refusable: false })
  await story.claim(10)
  await story.finish('sent')
  await story.call(1)
  t.strictSame(await mailsOf(story), [], 'the mail waits for the second')
  return story
}

/** How many licenses of the first product each mail has that is not cancelled. */
async function mailsOf ({ shop, products }: Story): Promise<number[]> {
  const { rows } = await sql<{ n: number }>`
    select cardinality(license_ids) as n from deliveries
    where account_id = ${shop.account_id} and product_id = ${products[0]} and status <> 'cancelled' order by created_at`.execute(shop.db)
  return rows.map((row) => row.n)
}

// Guarantee: what is said of another line of the order does not cut the mail in two.
t.test('a refund of another line', async (t) => {
  const story = await halfSupplied(t)
  await story.fact(0, { kind: 'refunded', subject: 'r', lines: [{ external_id: '2' }] }, false)
  t.strictSame(await mailsOf(story), [])
  await story.rest()
  t.strictSame(await mailsOf(story), [2])
  await assertInvariants(t, story.shop.db)
})

// Guarantee: while a dispute holds the order, no mail of it is planned, whatever becomes of its demands; won, all is in one.
t.test('a dispute', async (t) => {
  const story = await halfSupplied(t)
  await story.fact(0, { kind: 'disputed', subject: 'd' }, false)
  await story.job('surplus')
  t.strictSame(await mailsOf(story), [])
  await assertInvariants(t, story.shop.db)
  await story.fact(0, { kind: 'dispute_won', subject: 'd' }, false)
  await story.rest()
  t.strictSame(await mailsOf(story), [2])
  await assertInvariants(t, story.shop.db)
})

// Guarantee: when the supplies are taken away, what had come is mailed, though the rest waits for stock.
t.test('no supplies any more', async (t) => {
  const story = await halfSupplied(t)
  await story.supply([])
  t.strictSame(await mailsOf(story), [1])
  await story.load(0, 1)
  await story.rest()
  t.strictSame(await mailsOf(story), [1, 1])
  await assertInvariants(t, story.shop.db)
})

// Guarantee: when others are named in their place, the mail waits for these.
t.test('other supplies', async (t) => {
  const story = await halfSupplied(t)
  await story.supply(['next', { per: 'line', behaviour: 'succeed' }])
  t.strictSame(await mailsOf(story), [])
  await story.rest()
  t.strictSame(await mailsOf(story), [2])
  await assertInvariants(t, story.shop.db)
})
