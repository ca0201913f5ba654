// The steps of a mix as calls of the API; a cancellation as its caller makes it.
import { inTransaction } from '../../src/database/transaction.js'
import { cancelOrder } from '../../src/orders/cancel.js'
import { testAccount, type TestApp } from '../support/app.js'
import { callsOf, makePool, makeProduct, type Call } from '../support/vendor.js'
import { messageOf } from '../support/webhooks.js'
import type { AskedLine, Policy } from './mixes-model.js'

export interface Placed { number: number, id: string, by: 'api' | 'webhook', lines: readonly AskedLine[] }

/** A vendor of its own with pools. What a step returns is what its client is told. */
export class Vendor {
  readonly placed: Placed[] = []
  #number = 0
  #keys = 0
  readonly app: TestApp['app']
  readonly db: TestApp['db']
  readonly account_id: string
  readonly call: Call
  readonly pools: readonly string[]
  readonly source: { id: string, secret: string }

  constructor ({ app, db }: TestApp, account_id: string, call: Call, pools: readonly string[], source: { id: string, secret: string }) {
    this.app = app
    this.db = db
    this.account_id = account_id
    this.call = call
    this.pools = pools
    this.source = source
  }

  static async open (service: TestApp, pools: ReadonlyArray<{ rule: string, policy: Policy }>): Promise<Vendor> {
    const account = await testAccount(service.db, 'vendor')
    const call = callsOf(service.app, account)
    const ids: string[] = []
    for (const [at, { rule, policy }] of pools.entries()) {
      const product_id = await makeProduct(call, `sku-${at}`)
      ids.push(await makePool(call, { product_ids: [product_id], mode: 'live', quantity_rule: rule, on_shortage: policy }))
    }
    const source = await call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop' })
    return new Vendor(service, account.account_id, call, ids, source.json())
  }

  next (): number { return this.#number++ }

  async load (pool: number, fresh: number, repeated: number): Promise<Record<string, unknown>> {
    const lines = Array.from({ length: fresh }, () => `KEY-${++this.#keys}`)
    const again = Array.from({ length: Math.min(repeated, this.#keys - fresh) }, (_, i) => `KEY-${i + 1}`)
    return (await this.call('POST', `/v1/pools/${this.pools[pool]}/licenses`, [...lines, ...again].join('\n'))).json()
  }

  async order (number: number, lines: ReadonlyArray<readonly [product: number | string, quantity: number]>, by: 'api' | 'webhook', event = `msg_${number}`): Promise<{ status: number, id: string }> {
    const order = {
      external_id: `${by}-${number}`,
      currency: 'EUR',
      customer: { email: 'ada@example.com' },
      line_items: lines.map(([product, quantity]) => ({ product: typeof product === 'number' ? `sku-${product}` : product, quantity })),
    }
    if (by === 'api') {
      const answer = await this.call('POST', '/v1/orders', order, { 'idempotency-key': `${event} ${lines.join()}` })
      return { status: answer.statusCode, id: answer.json<{ id: string }>().id }
    }
    const { headers, body } = messageOf(this.source.secret, JSON.stringify({ type: 'order.paid', data: order }), { id: event })
    const pairs = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] as string]] : []))
    const answer = await this.app.inject({ method: 'POST', url: `/v1/payments/${this.source.id}`, headers: pairs, payload: body })
    return { status: answer.statusCode, id: answer.json<{ order_id: string }>().order_id }
  }

  async setPolicy (pool: number, policy: Policy): Promise<number> {
    return (await this.call('PUT', `/v1/pools/${this.pools[pool]}`, { on_shortage: policy })).statusCode
  }

  async cancel (order_id: string): Promise<undefined> {
    await inTransaction(this.db, (trx) => cancelOrder(trx, { account_id: this.account_id, order_id, actor: null, reason: 'test' }))
    return undefined
  }

  async resend (id: string): Promise<number> { return (await this.call('POST', `/v1/orders/${id}/resend`)).statusCode }

  /** The first license that is available; undefined: there is none. */
  async withdraw (pool: number): Promise<number | undefined> {
    const [license] = (await this.call('GET', `/v1/pools/${this.pools[pool]}/licenses?state=available&limit=1`)).json<Array<{ id: string }>>()
    return license === undefined ? undefined : (await this.call('POST', `/v1/licenses/${license.id}/withdraw`, { reason: 'test' })).statusCode
  }

  async held (id: string): Promise<Array<{ status: string, licenses: number }>> {
    const { line_items } = (await this.call('GET', `/v1/orders/${id}`)).json<{ line_items: Array<{ fulfillment_status: string, licenses: unknown[] }> }>()
    return line_items.map(({ fulfillment_status, licenses }) => ({ status: fulfillment_status, licenses: licenses.length }))
  }
}
