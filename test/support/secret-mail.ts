// What mails bring that is a secret, or nobody's business: the key that signs them, licenses in previews and in what comes back, corrected addresses.
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { openDkimKey } from '../../src/deliveries/settings/dkim.js'
import type { TestAccount } from './app.js'
import { planted } from './secret-market.js'
import { until } from './until.js'
import { callsOf, orderOf } from './vendor.js'

export interface Mailed {
  /** what must be nowhere in clear, by what it is */
  secrets: Record<string, string>
  /** answers that may show no secret */
  answers: string[]
  /** what who may see licenses was shown */
  shown: string
  /** where a mail was sent in place of the customer's own address: in the database, in no log and no event */
  corrected: string
}

/** A message as a mail server sends it back, with the mail inside. */
const cameBack = (message_id: string, key: string): string => [
  'From: MAILER-DAEMON@mx.example.com', 'To: licenses@example.com', 'Subject: Undelivered', 'MIME-Version: 1.0',
  'Content-Type: multipart/report; report-type=delivery-status; boundary=b', '',
  '--b', 'Content-Type: text/plain', '', `It said ${key}.`, '',
  '--b', 'Content-Type: message/delivery-status', '', 'Reporting-MTA: dns; mx.example.com', '',
  'Final-Recipient: rfc822; ada@example.com', 'Action: failed', 'Status: 5.1.1', `Diagnostic-Code: smtp; 550 5.1.1 not with ${key}`, '',
  '--b', 'Content-Type: message/rfc822', '', `Message-ID: ${message_id}`, '', key, '', '--b--', '',
].join('\r\n')

/** Signs, previews, simulates, corrects an address, and hears of mails that came back, with the key in all that can say it. */
export async function playMail ({ app, db }: { app: FastifyInstance, db: Kysely<Database> }, vendor: TestAccount): Promise<Mailed> {
  const call = callsOf(app, vendor)
  const answers: string[] = []
  const ask = async (...[method, url, payload, headers]: Parameters<typeof call>) => {
    const { statusCode, body } = await call(method, url, payload, headers)
    answers.push(body)
    if (statusCode >= 300) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    return JSON.parse(body)
  }
  const [key, corrected] = [planted('mail-key'), 'corrected-4b1d@example.org']
  await ask('PUT', '/v1/mail-settings', { from: { address: 'licenses@example.com' } })
  await ask('POST', '/v1/mail-settings/dkim', { domain: 'example.com', selector: 's1' }, { 'idempotency-key': 'dkim' })
  const stored = await db.selectFrom('mail_settings').select('dkim_sealed_key').where('account_id', '=', vendor.account_id).executeTakeFirstOrThrow()
  const pem = openDkimKey(app.keyring, vendor.account_id, { domain: 'example.com', selector: 's1', sealed: stored.dkim_sealed_key as Buffer })
  const product = await ask('POST', '/v1/products', { name: 'mailed', external_ids: ['mailed'], mail_template: { subject: 'Yours', text: '{KEY}' } })
  const pool = await ask('POST', '/v1/pools', { name: 'mailed', product_ids: [product.id] })
  await ask('POST', `/v1/pools/${pool.id as string}/licenses`, key)
  const line_items = [{ product: 'mailed', quantity: 1 }]
  await ask('POST', '/v1/orders/simulate', orderOf('M-0', { line_items }))
  const order = await ask('POST', '/v1/orders', orderOf('M-1', { line_items }))
  const sent = async (): Promise<unknown> => until('the mails', async () =>
    (await db.selectFrom('deliveries').select('id').where('order_id', '=', order.id).where('status', 'in', ['planned', 'sending']).execute()).length === 0)
  await sent()
  await ask('POST', '/v1/orders/simulate', orderOf('M-1', { line_items }))
  const preview = `/v1/products/${product.id as string}/templates/preview`
  await ask('POST', preview, { order_id: order.id })
  await ask('POST', preview, { mail_template: { subject: 'x', text: key.slice(0, 8) } })
  const shown = (await call('POST', preview, { order_id: order.id, reveal: true })).body
  await ask('POST', `/v1/orders/${order.id as string}/resend`, { to: corrected })
  await sent()
  const [first, second] = await ask('GET', `/v1/deliveries?order_id=${order.id as string}&ordering=created_at`)
  await ask('POST', '/v1/deliveries/bounces', { delivery_id: first.id, action: 'failed', status: '5.1.1', diagnostic: `550 5.1.1 not with ${key}` })
  await ask('POST', '/v1/deliveries/bounces', cameBack(second.message_id, key), { 'content-type': 'message/rfc822' })
  for (const { id } of [first, second]) await ask('GET', `/v1/deliveries/${id as string}`)
  for (const url of ['/v1/mail-settings', '/v1/mail-wrapper', `/v1/products/${product.id as string}/mail-versions`, '/v1/alerts', '/v1/events?limit=1000']) await ask('GET', url)
  const lines = pem.trim().split('\n')
  return { secrets: { 'mail-key': key, 'key that signs mails': lines[Math.floor(lines.length / 2)] as string }, answers, shown, corrected }
}
