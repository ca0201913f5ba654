// A shop whose products say each of the three things that a product can say of the order page, and its customers.
import type { LightMyRequestResponse } from 'fastify'
import { testAccount, type TestApp } from '../support/app.js'
import type { Json } from '../support/sdk.js'
import { callsOf, keys, makePool, orderOf, type Call } from '../support/vendor.js'

/** What a customer does: reads the page with a token, and has licenses shown. */
export interface Customer {
  read: (token: string | undefined, headers?: Record<string, string>) => Promise<LightMyRequestResponse>
  reveal: (token: string, wanted: object, headers?: Record<string, string>) => Promise<LightMyRequestResponse>
}

export function customerOf ({ app }: Pick<TestApp, 'app'>): Customer {
  const with_ = (token: string | undefined): Record<string, string> => token === undefined ? {} : { 'order-token': token }
  return {
    read: (token, headers = {}) => app.inject({ method: 'GET', url: '/v1/order-page', headers: { ...with_(token), ...headers } }),
    reveal: (token, wanted, headers = {}) => app.inject({ method: 'POST', url: '/v1/order-page/reveal', headers: { ...with_(token), ...headers }, payload: wanted }),
  }
}

export interface PageShop extends TestApp, Customer {
  call: Call
  /** by what the product says: its keys in stock, in their order */
  stock: Record<'none' | 'click' | 'show', { pool_id: string, keys: string[] }>
  /** a paid order of these products, one line each */
  order: (external_id: string, lines: Array<[product: string, quantity: number]>, other?: object) => Promise<Json>
  /** the token of a new link to the page */
  token: (order_id: string) => Promise<string>
}

/** A vendor of its own with three products, `sku-none`, `sku-click` and `sku-show`, of five licenses each. */
export async function pageShop (service: TestApp): Promise<PageShop> {
  const vendor = await testAccount(service.db, 'vendor')
  const call = callsOf(service.app, vendor)
  const shelf = async (order_page: 'none' | 'click' | 'show') => {
    const words = { subject: 'Key', text: '{KEY}' }
    const product = (await call('POST', '/v1/products', {
      name: `Studio ${order_page}`, external_ids: [`sku-${order_page}`], order_page, mail_template: words, locales: { de: { name: `Werkstatt ${order_page}` } },
    })).json<Json>()
    const own = keys(5, `${order_page.toUpperCase()}-${vendor.account_id}`)
    return { pool_id: await makePool(call, { product_ids: [product['id']] }, own), keys: own }
  }
  return {
    ...service,
    ...customerOf(service),
    vendor,
    call,
    stock: { none: await shelf('none'), click: await shelf('click'), show: await shelf('show') },
    order: async (external_id, lines, other = {}) => {
      const line_items = lines.map(([product, quantity]) => ({ product: `sku-${product}`, quantity }))
      return (await call('POST', '/v1/orders', orderOf(external_id, { line_items, ...other }))).json<Json>()
    },
    token: async (order_id) => (await call('POST', `/v1/orders/${order_id}/page-link`)).json<Json>()['token'],
  }
}
