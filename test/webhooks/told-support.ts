// A shop whose webhooks tell of orders, licenses, pools and deliveries, for tests of what they are told.
import type { Test } from 'tap'
import { Webhook } from 'standardwebhooks'
import { inTransaction } from '../../src/database/transaction.js'
import { createSource } from '../../src/payments/create-source.js'
import { receiver, type Received } from '../support/receiver.js'
import { until } from '../support/until.js'
import { callsOf, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'
import { messageOf } from '../support/webhooks.js'
import type { TestAccount, TestApp } from '../support/app.js'
import { WEBHOOKS } from './support.js'

export const CLASSES = ['order', 'license', 'pool', 'delivery'] as const

/** What no message may hold: in keys, customers and names. */
export const CANARY = 'canary'

export interface Told { type: string, timestamp: string, data: Record<string, any> }

export interface Teller { shop: Shop, hook: Awaited<ReturnType<typeof receiver>>, secrets: string[] }

export interface Shop { account_id: string, call: Call, product_id: string, pool_id: string, source_id: string, secret: string }

/** A vendor with one product under this SKU, a pool with so many licenses, and a checkout. */
export async function shopOf ({ app, db, keyring }: TestApp, account: TestAccount, sku: string, licenses: number, pool: object = {}): Promise<Shop> {
  const call = callsOf(app, account)
  const product_id = await makeProduct(call, sku)
  const keys = Array.from({ length: licenses }, (_, i) => `${CANARY}-${sku}-${String(i).padStart(6, '0')}`)
  const pool_id = await makePool(call, { name: `${CANARY} pool`, product_ids: [product_id], ...pool }, keys)
  const { account_id } = account
  const { id, secret } = await inTransaction(db, (trx) => createSource(trx, keyring, { account_id, kind: 'standard-webhooks', name: 'shop', mode: 'live', settings: {} }, 'test'))
  return { account_id, call, product_id, pool_id, source_id: id, secret }
}

/** A webhook; with its signing secret, where it has one. */
export async function hookOf (call: Call, external_url: string, object_class: string, more: object = {}): Promise<{ id: string, signing_secret?: string }> {
  const answer = await call('POST', WEBHOOKS, { label: 'hook', object_class, external_url, active: true, ...more })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json()
}

/** Registers one webhook for each class, all with one receiver. */
export async function tellerOf (t: Test, shop: Shop): Promise<Teller> {
  const hook = await receiver(t)
  const made = []
  for (const object_class of CLASSES) made.push(await hookOf(shop.call, hook.url, object_class))
  return { shop, hook, secrets: made.map((webhook) => webhook.signing_secret ?? '') }
}

/** A message, verified with the library of the standard by one of the secrets. @throws Error if none signs it */
export function verified ({ body, headers }: Received, secrets: readonly string[]): Told {
  for (const secret of secrets) {
    try {
      return new Webhook(secret).verify(body, headers as Record<string, string>) as Told
    } catch { /* of another webhook */ }
  }
  throw new Error('the message is signed with none of the secrets')
}

export const toldOf = ({ hook, secrets }: Teller): Told[] => hook.received.map((received) => verified(received, secrets))

/** Waits until every message that is planned was sent, and returns what the shop was told. */
export async function allTold ({ db }: TestApp, teller: Teller): Promise<Told[]> {
  await until('all messages to be sent', async () =>
    (await db.selectFrom('webhook_messages').select('id').where('status', '<>', 'sent').execute()).length === 0)
  return toldOf(teller)
}

/** A paid order of the shop's product over the API, of a customer who is a canary. Returns its id. */
export async function order ({ call }: Shop, external_id: string, sku: string, quantity = 1, more: object = {}): Promise<string> {
  const customer = { email: `${CANARY}@example.com`, first_name: CANARY, last_name: CANARY, company: CANARY }
  const answer = await call('POST', '/v1/orders', orderOf(external_id, { customer, line_items: [{ external_id: '1', product: sku, quantity }], ...more }))
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<{ id: string }>().id
}

let events = 0

/** The checkout says something of an order. */
export async function checkoutSays ({ app }: TestApp, { source_id, secret }: Shop, type: string, data: object): Promise<void> {
  const at = new Date(Date.UTC(2030, 0, 1, 0, ++events)).toISOString() // each later than the one before
  const { headers, body } = messageOf(secret, JSON.stringify({ type, timestamp: at, data }))
  const pairs = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : []))
  const answer = await app.inject({ method: 'POST', url: `/v1/payments/${source_id}`, headers: pairs, payload: body })
  if (answer.statusCode !== 200 || answer.json<{ status: string }>().status !== 'processed') throw new Error(`${type}: ${answer.statusCode} ${answer.body}`)
}
