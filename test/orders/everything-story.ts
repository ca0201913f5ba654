// One vendor and its orders, and everything that may happen to them, by the functions that routes and the worker call.
import { Readable } from 'node:stream'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries, type ClaimedDelivery } from '../../src/deliveries/claim.js'
import { finishDelivery } from '../support/deliveries.js'
import { resendOrder } from '../../src/deliveries/resend.js'
import { createHold } from '../../src/holds/create.js'
import { poolsOfExpired, reclaimExpired } from '../../src/holds/reclaim.js'
import { releaseHold } from '../../src/holds/release.js'
import { newId } from '../../src/ids.js'
import { fillPool } from '../../src/licenses/fill.js'
import { tendDated, untendedPools } from '../../src/licenses/expire.js'
import { loadLicenses } from '../../src/licenses/load.js'
import { reshelve, strandedPools, waitingPools } from '../../src/licenses/reshelve.js'
import { revealLicense } from '../../src/licenses/reveal.js'
import { withdrawLicense } from '../../src/licenses/withdraw.js'
import { findUnsettled, settleFacts } from '../../src/orders/adopt-facts.js'
import { cancelOrder } from '../../src/orders/cancel.js'
import type { NewFact } from '../../src/orders/facts.js'
import type { PaidOrder } from '../../src/orders/paid-order.js'
import { placeOrder } from '../../src/orders/place.js'
import { refundOrder } from '../../src/orders/refund.js'
import { Problem } from '../../src/problems.js'
import { completeRecall, settledShortages } from '../../src/recalls/complete.js'
import { replaceLicense } from '../../src/recalls/replace.js'
import { revokeLicense } from '../../src/recalls/revoke.js'
import { startRecall } from '../../src/recalls/start.js'
import { runningRecalls, workOnRecall } from '../../src/recalls/work.js'
import { callSupply } from '../../src/supplies/call.js'
import { cancelSurplus, findSurplus } from '../../src/supplies/cancel-surplus.js'
import { claimSupplyOrders } from '../../src/supplies/claim.js'
import { findSuppliable } from '../../src/supplies/find-suppliable.js'
import { retrySupplyOrder } from '../../src/supplies/retry.js'
import { supplyLine } from '../../src/supplies/supply.js'
import { writeSupplies } from '../../src/supplies/write.js'
import { letExpire } from '../holds/support.js'
import { age, loadDated, tend, type Dated } from '../licenses/expiry-support.js'
import { poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'
import { at, say } from './facts.js'
import { arrivalOf } from './support.js'

export const POOLS = 3
export const JOBS = ['reshelve', 'fill', 'tend', 'expire', 'supply', 'surplus', 'settle', 'recall', 'complete'] as const
export const BEHAVIOURS = ['succeed', 'fail_temporarily', 'fail_fatally', 'too_few'] as const

/** How the vendor is set up. The first product has supplies beyond its pool. */
export interface Setting {
  pools: Array<{ rule: 'unit' | 'line', policy: 'backorder' | 'partial' | 'fail', on_renewal: 'issue' | 'keep' | 'extend', pick?: 'first' | 'soonest', min_remaining_days?: number }>
  supplies: Array<'next' | 'information' | { per: 'unit' | 'line', behaviour: typeof BEHAVIOURS[number] }>
}

type Line = [pool: number, quantity: number]
interface Placed { id: string, external_id: string, key: string, lines: Line[], more: Partial<PaidOrder> }

const ACTOR = 'SU-000-000-000'
const SOURCE = { source_id: 'api-test', mode: 'test' } as const
let names = 0

export class Story {
  readonly placed: Placed[] = []
  readonly holds: string[] = []
  #hour = 0
  #orders = 0
  #sending: ClaimedDelivery[] = []
  readonly shop: Shop
  readonly products: readonly string[]
  readonly pools: readonly string[]

  constructor (shop: Shop, products: readonly string[], pools: readonly string[]) {
    this.shop = shop
    this.products = products
    this.pools = pools
  }

  static async open (db: Kysely<Database>, { pools, supplies }: Setting): Promise<Story> {
    const shop = await vendorShop(db)
    const [products, ids]: [string[], string[]] = [[], []]
    for (const { rule, policy, on_renewal, pick = 'first', min_remaining_days = 0 } of pools) {
      const product_id = await productOf(shop)
      const { pool_id } = await poolOf(shop, product_id, [])
      await db.updateTable('products').set({ on_renewal }).where('id', '=', product_id).execute()
      await db.updateTable('pools').set({ mode: 'test', quantity_rule: rule, on_shortage: policy, pick, min_remaining_days }).where('id', '=', pool_id).execute()
      await db.updateTable('pool_routes').set({ mode: 'test' }).where('pool_id', '=', pool_id).execute()
      products.push(product_id)
      ids.push(pool_id)
    }
    const story = new Story(shop, products, ids)
    await story.supply(supplies)
    return story
  }

  /** Sets the supplies of the first product. */
  async supply (supplies: Setting['supplies']): Promise<void> {
    const { keyring, account_id } = this.shop
    await this.#do((trx) => writeSupplies(trx, keyring, { account_id, product_id: this.products[0] as string }, {
      supplies: supplies.map((supply) => supply === 'next'
        ? { type: 'pool', pool_id: this.pools.at(-1) as string }
        : supply === 'information' ? { type: 'information', subject: 'Soon', text: 'It takes longer.' } : { type: 'emulator', ...supply }),
      actor: ACTOR,
      allowed_networks: [],
    }))
  }

  async load (pool: number, count: number): Promise<void> {
    const { db, keyring, account_id } = this.shop
    const bytes = Readable.from([Buffer.from(Array.from({ length: count }, () => `K-${++names}`).join('\n'))])
    await loadLicenses({ db, keyring, account_id, pool_id: this.pools[pool] as string, bytes, format: 'text', created_by: 'test' })
  }

  /** Licenses that expire after so many days; null: never. */
  async loadDated (pool: number, days: ReadonlyArray<number | null>): Promise<void> {
    await loadDated(this.shop, this.pools[pool] as string, days.map((each): Dated => [`D-${++names}`, each]))
  }

  /** Days pass for what was never sold, the worker runs meanwhile, and what expires on the last of them it has not found yet. */
  async age (days: number): Promise<void> {
    const { db, account_id } = this.shop
    await age(db, account_id, days - 1)
    await tend(db)
    await age(db, account_id, 1)
  }

  /** By an event, or, `refusable`, by the API. */
  async order (lines: Line[], { hold, parent, refusable }: { hold: number | undefined, parent: number | undefined, refusable: boolean }): Promise<void> {
    const external_id = `O-${++this.#orders}`
    const more: Partial<PaidOrder> = {
      ...SOURCE, external_id, total_amount: 1000, paid_at: at(0), hold_id: pick(this.holds, hold), parent: pick(this.placed, parent)?.id,
    }
    const placed = { id: '', external_id, key: `paid ${external_id}`, lines, more }
    const id = await this.#lenient(() => this.#place(placed, refusable))
    if (id !== undefined) this.placed.push({ ...placed, id })
  }

  /** The same event again; `retry`: by hand, which tries again what was refused. */
  async replay (which: number, retry: boolean): Promise<void> {
    const placed = pick(this.placed, which)
    if (placed !== undefined) await this.#place(placed, false, retry)
  }

  async hold (lines: Line[]): Promise<void> {
    const held = await this.#try((trx) => createHold(trx, this.shop.account_id, {
      mode: 'test', currency: 'EUR', line_items: lines.map(([pool, quantity]) => ({ product: this.products[pool] as string, quantity })), expires_in_s: 3600,
    }, ACTOR))
    if (held !== undefined) this.holds.push(held.id)
  }

  async expire (which: number): Promise<void> {
    const hold = pick(this.holds, which)
    const open = hold === undefined ? undefined : await this.shop.db.selectFrom('holds').select('id').where('id', '=', hold).where('status', '=', 'open').executeTakeFirst()
    if (open !== undefined) await this.#do((trx) => letExpire(trx, open.id)) // at one moment
  }

  async release (which: number): Promise<void> {
    const hold_id = pick(this.holds, which)
    if (hold_id !== undefined) await this.#try((trx) => releaseHold(trx, { account_id: this.shop.account_id, hold_id, actor: ACTOR, reason: 'test' }))
  }

  /** What the checkout says of an order: of one that is to come too. `late`: of a moment long before. */
  async fact (which: number, fact: Omit<NewFact, 'ref' | 'occurred_at'>, late: boolean): Promise<void> {
    const ref = `O-${1 + which % (this.#orders + 2)}`
    await say(this.shop, newId('EV'), { ref, occurred_at: at(late ? 1 : 2 + ++this.#hour), ...fact }, 'api-test')
  }

  async refund (which: number, what: { line?: string | undefined, quantity?: number | undefined, amount?: number | undefined }): Promise<void> {
    const order_id = pick(this.placed, which)?.id
    if (order_id === undefined) return
    const { line, quantity, amount } = what
    const lines = line === undefined ? undefined : [{ external_id: line, ...(quantity === undefined ? {} : { quantity }) }]
    await this.#try((trx) => refundOrder(trx, { account_id: this.shop.account_id, order_id, actor: ACTOR, lines, amount }))
  }

  async cancel (which: number): Promise<void> {
    const order_id = pick(this.placed, which)?.id
    if (order_id !== undefined) await this.#try((trx) => cancelOrder(trx, { account_id: this.shop.account_id, order_id, actor: ACTOR }))
  }

  async resend (which: number): Promise<void> {
    const order_id = pick(this.placed, which)?.id
    if (order_id !== undefined) await this.#try((trx) => resendOrder(trx, this.shop.account_id, order_id, ACTOR))
  }

  /** Somebody reads a license that an order holds, or it turns out bad. */
  async sold (which: number, verb: 'reveal' | 'replace' | 'revoke'): Promise<void> {
    const { db, keyring, account_id } = this.shop
    const rows = await db.selectFrom('allocations').select('license_id').where('account_id', '=', account_id).where('ended_as', 'is', null).orderBy('license_id').execute()
    const license_id = pick(rows, which)?.license_id
    if (license_id === undefined) return
    const bad = { account_id, license_id, reason: 'test', actor: ACTOR }
    if (verb === 'reveal') await this.#do((trx) => revealLicense(trx, keyring, { account_id, license_id, actor: ACTOR }))
    else await this.#try((trx) => verb === 'replace' ? replaceLicense(trx, bad) : revokeLicense(trx, bad))
  }

  async withdraw (which: number): Promise<void> {
    const { db, account_id } = this.shop
    const rows = await db.selectFrom('stock').select('license_id').where('account_id', '=', account_id).orderBy('license_id').execute()
    const license_id = pick(rows, which)?.license_id
    if (license_id !== undefined) await this.#do((trx) => withdrawLicense(trx, { account_id, license_id, reason: 'test', actor: ACTOR }))
  }

  async recall (which: number): Promise<void> {
    const { db, account_id } = this.shop
    const rows = await db.selectFrom('batches').select('id').where('account_id', '=', account_id).where('status', '=', 'loaded').where('loaded', '>', 0).orderBy('id').execute()
    const batch_id = pick(rows, which)?.id
    if (batch_id !== undefined) await this.#do((trx) => startRecall(trx, { account_id, batch_id, reason: 'test', actor: ACTOR }))
  }

  async claim (limit: number): Promise<number> {
    const claimed = await this.#do((trx) => claimDeliveries(trx, { limit, lease_ms: 3_600_000, domain: 'example.com' }))
    this.#sending.push(...claimed)
    return claimed.length
  }

  async finish (outcome: 'sent' | 'deferred' | 'bounced' | 'released'): Promise<void> {
    for (const claimed of this.#sending.splice(0)) await this.#do((trx) => finishDelivery(trx, claimed, { outcome, response: 'test' }))
  }

  /** Calls for what is due. Returns for how many demands. */
  async call (concurrency = 20): Promise<number> {
    const { db, keyring } = this.shop
    const claimed = await this.#do((trx) => claimSupplyOrders(trx, { concurrency, busy: [] }))
    for (const demand of claimed) await callSupply({ db, keyring, log: { info () {} }, allowed_networks: [] }, demand, new AbortController().signal)
    return claimed.length
  }

  async retry (which: number): Promise<void> {
    const { db, account_id } = this.shop
    const rows = await db.selectFrom('supply_orders').select('id').where('account_id', '=', account_id).where('status', 'in', ['planned', 'given_up']).orderBy('id').execute()
    const id = pick(rows, which)?.id
    if (id !== undefined) await this.#try((trx) => retrySupplyOrder(trx, { account_id, id, actor: ACTOR }))
  }

  /** One job of the worker. Returns on how much it worked. */
  async job (name: typeof JOBS[number]): Promise<number> {
    const pool = { reshelve, fill: fillOf, expire: expireOf }
    switch (name) {
      case 'reshelve': return this.#inEach(strandedPools, pool.reshelve)
      case 'fill': return this.#inEach(waitingPools, pool.fill)
      case 'tend': return this.#inEach(untendedPools, tendDated)
      case 'expire': return this.#inEach(poolsOfExpired, pool.expire)
      case 'supply': return this.#inEach(findSuppliable, supplyLine)
      case 'surplus': return this.#inEach(findSurplus, cancelSurplus)
      case 'settle': return this.#inEach(findUnsettled, settleFacts)
      case 'recall': return this.#inEach(runningRecalls, workOnRecall)
      case 'complete': return this.#inEach(settledShortages, completeRecall)
    }
  }

  /** The worker does all that there is to do. @throws Error when it finds work again and again */
  async rest (): Promise<void> {
    const { db, account_id } = this.shop
    for (let rounds = 0, worked = 1; worked > 0; rounds++) {
      if (rounds === 50) throw new Error('the worker comes to no rest')
      worked = 0
      for (const job of JOBS) if (job !== 'fill') worked += await this.job(job)
      await sql`update supply_orders set next_attempt_at = now() where account_id = ${account_id} and status = 'planned'`.execute(db)
      worked += await this.call()
      await sql`update deliveries set next_attempt_at = now() where account_id = ${account_id} and status = 'planned'`.execute(db)
      worked += await this.claim(100)
      await this.finish('sent')
    }
  }

  /** Leaves nothing to be found by the stories that follow in this database. */
  async close (): Promise<void> {
    const { db, account_id } = this.shop
    for (const table of ['deliveries', 'supply_orders'] as const) {
      await sql`update ${sql.table(table)} set next_attempt_at = now() + interval '1 year' where account_id = ${account_id} and next_attempt_at is not null`.execute(db)
    }
  }

  async #place ({ external_id, key, lines, more }: Placed, refusable: boolean, retry = false): Promise<string> {
    const arrival = arrivalOf(this.shop, lines.map(([pool, quantity]) => [this.products[pool] as string, quantity]), external_id, more)
    const event = refusable ? {} : { event: { id: newId('PE'), source_id: SOURCE.source_id, event_key: key, type: 'order.paid', occurred_at: at(0), body: Buffer.from('{}') } }
    return (await this.#do((trx) => placeOrder(trx, { ...arrival, ...event, retry }))).id
  }

  #do<T> (work: (trx: Transaction<Database>) => Promise<T>): Promise<T> { return inTransaction(this.shop.db, work) }
  #try<T> (work: (trx: Transaction<Database>) => Promise<T>): Promise<T | undefined> { return this.#lenient(() => this.#do(work)) }

  /** A refusal is an answer too. */
  async #lenient<T> (work: () => Promise<T>): Promise<T | undefined> {
    return work().catch((error: unknown) => { if (!(error instanceof Problem)) throw error; return undefined })
  }

  async #inEach<T extends { account_id: string }> (
    find: (db: Kysely<Database>) => Promise<T[]>, work: (trx: Transaction<Database>, found: T) => Promise<unknown>
  ): Promise<number> {
    const found = (await find(this.shop.db)).filter((each) => each.account_id === this.shop.account_id)
    for (const each of found) await this.#do((trx) => work(trx, each))
    return found.length
  }
}

interface PoolId { account_id: string, pool_id: string }
const fillOf = (trx: Transaction<Database>, { account_id, pool_id }: PoolId): Promise<unknown> => fillPool(trx, account_id, pool_id)
const expireOf = (trx: Transaction<Database>, { account_id, pool_id }: PoolId): Promise<unknown> => reclaimExpired(trx, account_id, [pool_id])

function pick<T> (of: readonly T[], which: number | undefined): T | undefined {
  return which === undefined ? undefined : of[which % Math.max(1, of.length)]
}
