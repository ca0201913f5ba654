// A stream of signed orders from senders that repeat until they are acknowledged, and the look back at what became of each.
import PostalMime from 'postal-mime'
import type { Test } from 'tap'
import { assertInvariants } from '../support/invariants.js'
import type { Received } from '../support/smtp.js'
import { until } from '../support/until.js'
import { emailOf, insist, licensesOf, post, range, Tally, type Asked, type Random, type Shop, type Source } from './support.js'

/** Orders of one to three lines over the products, most of one unit. */
export function randomOrders (random: Random, count: number, products: readonly string[]): Asked[] {
  return range(count).map((number) => {
    const first = random(products.length)
    const lines = range(1 + Math.max(0, random(6) - 3)).map((i) => [products[(first + i) % products.length] as string, 1 + Math.max(0, random(5) - 2)] as const)
    return { number, lines }
  })
}

export const demandOf = (orders: readonly Asked[], sku: string): number =>
  orders.flatMap(({ lines }) => lines).filter(([product]) => product === sku).reduce((sum, [, quantity]) => sum + quantity, 0)

export interface Stream { acknowledged: Map<number, string>, tally: Tally, events: () => number, done: Promise<void> }

/** Begins to post the orders, `senders` at a time, every third twice at once. `acknowledged` maps an order's number to the id it was answered with. */
export function stream (orders: readonly Asked[], source: Source, baseOf: () => string, senders: number): Stream {
  const acknowledged = new Map<number, string>()
  const tally = new Tally()
  const queue = orders.flatMap((order) => order.number % 3 === 0 ? [order, order] : [order])
  let events = 0
  const sender = async (): Promise<void> => {
    for (let order = queue.shift(); order !== undefined; order = queue.shift()) {
      const asked = order
      const { body } = await insist(`order ${asked.number}`, tally, () => post(baseOf(), source, asked))
      events++
      const id = String(body['order_id'])
      const before = acknowledged.get(asked.number)
      if (before !== undefined && before !== id) tally.wrong.push(`order ${asked.number} was acknowledged as ${before} and as ${id}`)
      acknowledged.set(asked.number, id)
    }
  }
  return { acknowledged, tally, events: () => events, done: Promise.all(range(senders).map(sender)).then(() => {}) }
}

/** Guarantees A1, A3, A4, A5, B1: of what was acknowledged nothing is lost, nothing given twice, each order has exactly its quantity. */
export async function assertFulfilled (t: Test, shop: Shop, base: string, orders: readonly Asked[], acknowledged: ReadonlyMap<number, string>): Promise<void> {
  t.equal(acknowledged.size, orders.length, 'every order was acknowledged in the end')
  t.equal(new Set(acknowledged.values()).size, orders.length, 'as an order of its own')
  const given: string[] = []
  const wrong: string[] = []
  for (const { number, lines } of orders) {
    const held = await licensesOf(shop, base, acknowledged.get(number) as string)
    given.push(...held.flat())
    const counts = held.map((licenses) => licenses.length).join()
    if (counts !== lines.map(([, quantity]) => quantity).join()) wrong.push(`order ${number} holds ${counts}`)
  }
  t.strictSame(wrong, [], 'each order holds exactly what was paid for')
  t.equal(new Set(given).size, given.length, 'no license is held twice')
  await assertInvariants(t, shop.server.db)
}

/** Promise A4, as a client sees it. */
export async function assertStock (t: Test, shop: Shop, base: string, pool_id: string, counts: Record<string, number>): Promise<void> {
  const { stock } = await shop.made(base, 'GET', `/v1/pools/${pool_id}`)
  t.match(stock, counts, 'the stock of the pool balances')
}

export interface Mailed { message_id: string, to: string, keys: string[] }

export async function readMails (mails: readonly Received[]): Promise<Mailed[]> {
  return Promise.all(mails.map(async ({ raw, to }) => {
    const { messageId = '', text = '' } = await PostalMime.parse(raw)
    return { message_id: messageId, to: to.join(), keys: [...new Set(text.match(/KEY-[A-Z]+-\d{6}/g))] }
  }))
}

/**
 * Guarantees B6, C1, C2, C3: every delivery of every order reaches the mail server, repeats under one Message-ID; each customer
 * gets the keys of the own order, all of them. Returns how many mails were repeats.
 */
export async function assertMailed (t: Test, shop: Shop, mails: readonly Received[], orders: readonly Asked[]): Promise<number> {
  await until('every delivery to be sent', async () =>
    (await shop.server.db.selectFrom('deliveries').select('id').where('status', '<>', 'sent').limit(1).execute()).length === 0, 40_000)
  const planned = await shop.server.db.selectFrom('deliveries').select(['message_id', 'to']).execute()
  const read = await readMails(mails)
  const distinct = new Map(read.map((mail) => [mail.message_id, mail]))
  t.strictSame([...distinct.keys()].sort(), planned.map(({ message_id }) => message_id).sort(), 'every delivery was accepted by the mail server, under its own Message-ID')
  const keys = [...distinct.values()].flatMap((mail) => mail.keys)
  t.equal(new Set(keys).size, keys.length, 'no key is in two mails')
  const wrong = orders.filter(({ number, lines }) => {
    const got = [...distinct.values()].filter(({ to }) => to === emailOf(number)).flatMap((mail) => mail.keys)
    return got.length !== lines.reduce((sum, [, quantity]) => sum + quantity, 0) || lines.some(([sku, quantity]) =>
      got.filter((key) => key.startsWith(`KEY-${sku}-`)).length < quantity)
  })
  t.strictSame(wrong, [], 'each customer was mailed the keys that were paid for')
  const contents = new Map<string, string>()
  t.ok(read.every(({ message_id, to, keys }) => {
    const content = `${to} ${keys.join()}`
    const first = contents.get(message_id) ?? content
    contents.set(message_id, first)
    return first === content
  }), 'a repeat says the same to the same')
  return read.length - distinct.size
}

/** Guarantees B6, E1: of every order each event was planned once, with it, and its receiver was called. Returns how many calls were repeats. */
export async function assertTold (
  t: Test, { server: { db } }: Shop, calls: ReadonlyArray<{ body: string }>, orders: ReadonlyMap<number, string>
): Promise<number> {
  await until('every message to be sent', async () =>
    (await db.selectFrom('webhook_messages').select('id').where('status', '<>', 'sent').limit(1).execute()).length === 0, 40_000)
  const expected = [...orders.values()].flatMap((id) => [`order.fulfilled ${id}`, `order.paid ${id}`]).sort()
  const planned = await db.selectFrom('webhook_messages').select(['event', 'data']).execute()
  t.strictSame(planned.map(({ event, data }) => `${event} ${(data as { id: string }).id}`).sort(), expected, 'each event of each order was planned once')
  const heard = calls.map(({ body }) => JSON.parse(body) as { type: string, data: { id: string } }).map(({ type, data }) => `${type} ${data.id}`)
  t.strictSame([...new Set(heard)].sort(), expected, 'and its receiver was called')
  return heard.length - expected.length
}
