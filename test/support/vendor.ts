// A vendor's calls over the API, for tests that begin with a product, a pool and stock.
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import type { TestAccount } from './app.js'

/** A call of the account's; a `payload` that is a string goes as text/plain. */
export type Call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object | string, headers?: Record<string, string>) => Promise<LightMyRequestResponse>

export function callsOf (app: FastifyInstance, { authorization }: Pick<TestAccount, 'authorization'>): Call {
  return (method, url, payload, headers = {}) => {
    const type = typeof payload === 'string' ? { 'content-type': 'text/plain' } : {}
    const options: InjectOptions = { method, url, headers: { authorization, ...type, ...headers } }
    return app.inject(payload === undefined ? options : { ...options, payload })
  }
}

/** Calls, and returns the body of a 2xx. @throws Error with the body of anything else */
async function made<T> (answer: Promise<LightMyRequestResponse>): Promise<T> {
  const { statusCode, body, json } = await answer
  if (statusCode >= 300) throw new Error(`${statusCode} ${body}`)
  return json<T>()
}

export async function makeProduct (call: Call, ...external_ids: string[]): Promise<string> {
  const product = { name: `Product ${external_ids.join(' ')}`, external_ids, mail_template: { subject: 'Your key for {PROGRAM_NAME}', text: 'Your key: {KEY}' } }
  return (await made<{ id: string }>(call('POST', '/v1/products', product))).id
}

/** Gives the mails of a product a subject that is not looked at. */
export async function subjectOf (db: Kysely<Database>, product_id: string, subject: string): Promise<void> {
  await sql`update products set mail_template = jsonb_set(mail_template, '{subject}', to_jsonb(${subject}::text)) where id = ${product_id}`.execute(db)
  await sql`update mail_words set words = jsonb_set(words, '{mail_template,subject}', to_jsonb(${subject}::text)) where product_id = ${product_id}`.execute(db)
}

/** A pool with these licenses loaded. */
export async function makePool (call: Call, pool: object, licenses: readonly string[] = []): Promise<string> {
  const { id } = await made<{ id: string }>(call('POST', '/v1/pools', { name: 'pool', ...pool }))
  if (licenses.length > 0) await load(call, id, licenses)
  return id
}

export async function load (call: Call, pool_id: string, licenses: readonly string[]): Promise<void> {
  await made(call('POST', `/v1/pools/${pool_id}/licenses`, licenses.join('\n')))
}

/** The stock counts of a pool. */
export async function stockOf (call: Call, pool_id: string): Promise<Record<string, number>> {
  return (await made<{ stock: Record<string, number> }>(call('GET', `/v1/pools/${pool_id}`))).stock
}

/** Distinct keys long enough that a mask shows a part of each. */
export function keys (count: number, prefix = 'ABCD-EFGH'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i + 1).padStart(8, '0')}`)
}

/** A paid order of one unit, as a client sends it. */
export function orderOf (external_id: string, { line_items, ...other }: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    external_id, currency: 'EUR', customer: { email: 'ada@example.com', first_name: 'Ada' }, line_items: line_items ?? [{ product: 'sku-pro', quantity: 1 }], ...other,
  }
}
