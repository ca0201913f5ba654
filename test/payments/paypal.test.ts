import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Checking, Fact, SourceOptions } from '../../src/payments/checkout.js'
import { paypal } from '../../src/payments/paypal.js'
import { startWorker } from '../../src/worker.js'
import { assertInvariants } from '../support/invariants.js'
import { receiver, status } from '../support/receiver.js'
import { until } from '../support/until.js'
import type { Message } from '../support/webhooks.js'
import { bodyOf, stored } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'

type Json = Record<string, unknown>
interface Event extends Json { id: string, resource: Json, links: Array<{ href: string }> }
const CERTIFICATE = '/v1/notifications/certs/CERT-360caa42-fca2a594-7a8abba8'
const HOUR_MS = 3_600_000

/** A key and a certificate of it that signs itself, as PayPal's are for messages, made by openssl. */
function certificateOf (dir: string, name: string, algorithm = ['rsa:2048']): { key: string, pem: string } {
  const [key, pem] = [`${dir}/${name}.key`, `${dir}/${name}.pem`]
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', ...algorithm, '-nodes', '-subj', `/C=US/O=PayPal, Inc./CN=${name}`, '-days', '30', '-keyout', key, '-out', pem])
  if (made.status !== 0) throw new Error(String(made.stderr))
  return { key, pem: readFileSync(pem, 'utf8') }
}

const dir = t.testdir({})
const genuine = certificateOf(dir, 'messageverificationcerts.paypal.com')
const api = await receiver(t, (request, response) => { (request.path === CERTIFICATE ? status(200, {}, genuine.pem) : status(404))(request, response) })
const api_url = new URL(api.url).origin

/** Signed by openssl over what PayPal documents; the checksum is the one that gzip writes behind what it packs. */
function signed (body: Buffer, webhook_id: string, at: Date, { key, cert_url = `${api_url}${CERTIFICATE}` }: { key: string, cert_url?: string }): Message {
  const [id, time] = [randomUUID(), `${at.toISOString().slice(0, 19)}Z`]
  const packed = gzipSync(body)
  const input = `${id}|${time}|${webhook_id}|${packed.readUInt32LE(packed.length - 8)}`
  const signature = spawnSync('openssl', ['dgst', '-sha256', '-sign', key], { input }).stdout.toString('base64')
  return {
    headers: [
      'content-type', 'application/json', 'paypal-transmission-id', id, 'paypal-transmission-time', time, 'paypal-transmission-sig', signature,
      'paypal-cert-url', cert_url, 'paypal-auth-algo', 'SHA256withRSA', 'user-agent', 'PayPal/AUHD-214.0-58243270', 'correlation-id', '3f0d4c1f5c4a1',
    ],
    body,
  }
}

const CAPTURED = bodyOf<Event>('paypal-capture-completed')
const REFUNDED = bodyOf<Event>('paypal-capture-refunded')
const DISPUTED = bodyOf<Event>('paypal-dispute-created')
const TOKEN = '{"scope":"https://uri.paypal.com/services/checkout","access_token":"A21AA","token_type":"Bearer","expires_in":32400}'
const ORDER = bodyOf<Json & { purchase_units: Array<Json & { items: Json[] }> }>('paypal-order')
const money = (quantity: number): Json => ({ currency_code: 'EUR', value: (58.31 * quantity).toFixed(2) })
const event = (of: Event, resource: Json = {}, fields: Json = {}): Event => ({ ...of, id: `WH-${randomBytes(8).toString('hex')}`, resource: { ...of.resource, ...resource }, ...fields })
const captured = ({ id, quantity }: Pick<Purchase, 'id' | 'quantity'>, resource: Json = {}): Event => event(CAPTURED, {
  id: `C${id}`, amount: money(quantity), supplementary_data: { related_ids: { order_id: `O${id}` } }, ...resource,
})
const upTo = (capture_id: string): Json[] => [{ rel: 'up', method: 'GET', href: `https://api.paypal.com/v2/payments/captures/${capture_id}` }]
const refunded = ({ id, quantity }: Pick<Purchase, 'id' | 'quantity'>): Event => event(REFUNDED, { id: `R${id}`, amount: money(quantity), links: upTo(`C${id}`) })
const payload = (body: object): Payload => ({ body: JSON.stringify(body) })

const sender: Sender = {
  kind: 'paypal',
  newSecret: () => randomBytes(9).toString('hex').slice(0, 17).toUpperCase(),
  source: { api_url },
  product: 'PP-PRO',
  unknown_product: 'PP-NOT-YET-MADE',
  signed_headers: ['paypal-transmission-id', 'paypal-transmission-time', 'paypal-transmission-sig', 'paypal-cert-url', 'paypal-auth-algo'],
  is_timed: false, // it is, with another measure for each side: see below
  is_rotating: false,
  sign: ({ body }, [secret = ''], at) => signed(Buffer.from(body as string), secret, at, genuine),
  paid: (purchase) => payload(captured(purchase, { custom_id: JSON.stringify({ email: purchase.email, products: `${purchase.product}:${purchase.quantity}` }) })),
  refunded: (purchase) => payload(refunded(purchase)),
}

t.test('the matrix', async (t) => { await matrix(t, sender) })

/** Verifies a message as it came, with what PayPal's certificate URL answers. */
function verify ({ headers, body }: Message, secrets: string[], { pem = genuine.pem, ...checking }: Partial<Checking> & { pem?: string } = {}) {
  const given = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : []))
  const all: Checking = { now: new Date(), tolerance_ms: paypal.tolerance_ms ?? 0, fetchText: async () => pem, api_url, ...checking }
  return (async () => paypal.verify({ headers: given, body }, secrets, all))()
}

// Guarantee: only a certificate that PayPal serves, is PayPal's and is valid proves anything; nothing else is even fetched.
t.test('certificates', async (t) => {
  const [body, id] = [Buffer.from(JSON.stringify(CAPTURED)), sender.newSecret()]
  const at = (cert_url: string): Message => signed(body, id, new Date(), { key: genuine.key, cert_url })
  t.match(await verify(at('https://api.paypal.com/v1/notifications/certs/CERT-1'), ['0ANOTHERWEBHOOK01', id]), { event_key: CAPTURED.id }, 'PayPal, and the second id')
  t.match(await verify(at('https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1'), [id]), { event_key: CAPTURED.id })
  const fetchText = async (url: string): Promise<string> => t.fail(`fetched ${url}`) as never
  for (const url of [
    'http://api.paypal.com/v1/notifications/certs/CERT-1', 'https://paypal.com.example.com/v1/notifications/certs/CERT-1', 'https://evilpaypal.com/v1/notifications/certs/CERT-1',
    'https://api.paypal.com@example.com/v1/notifications/certs/CERT-1', 'https://u:p@api.paypal.com/v1/notifications/certs/CERT-1', 'https://api.paypal.com/v1/notifications/certs/../../x',
    'https://api.paypal.com:8443/v1/notifications/certs/CERT-1', 'https://www.paypal.com/shop/CERT-1', `${api_url}/CERT-1`, 'file:///etc/passwd', 'CERT-1',
  ]) await t.rejects(verify(at(url), [id], { fetchText }), /paypal-cert-url: must be https/, url)
  await t.rejects(verify(at(`${api_url}${CERTIFICATE}`), [id], { fetchText, api_url: undefined }), /paypal-cert-url: must be https/, 'another place counts only where the source has it')
  const other = certificateOf(dir, 'messageverificationcerts.paypal.com.example.com')
  await t.rejects(verify(signed(body, id, new Date(), other), [id], { pem: other.pem }), /the certificate is not of paypal\.com/)
  await t.rejects(verify(at(`${api_url}${CERTIFICATE}`), [id], { pem: 'no certificate' }), /holds no certificate/)
  const late = new Date(Date.now() + 31 * 24 * HOUR_MS)
  await t.rejects(verify(signed(body, id, late, genuine), [id], { now: late }), /the certificate is not valid now/)
  const curve = certificateOf(dir, 'ec.paypal.com', ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'])
  await t.rejects(verify(signed(body, id, new Date(), curve), [id], { pem: curve.pem }), /the certificate has no RSA key/)
  const { headers } = at(`${api_url}${CERTIFICATE}`)
  await t.rejects(verify({ headers: headers.map((text) => text === 'SHA256withRSA' ? 'SHA1withRSA' : text), body }, [id]), /paypal-auth-algo/)
  await t.rejects(verify({ headers: headers.map((text, i) => headers[i - 1] === 'paypal-transmission-id' ? `${text}|x` : text), body }, [id]), /paypal-transmission-id/)
})

// Guarantee: what PayPal still repeats is in time, three days later; what is older is not, nor what is of the future.
t.test('age', async (t) => {
  const [body, id] = [Buffer.from(JSON.stringify(CAPTURED)), sender.newSecret()]
  const after = (ms: number) => verify(signed(body, id, new Date(Date.now() + ms), genuine), [id])
  for (const ms of [-73 * HOUR_MS, -HOUR_MS, 0, 240_000]) t.match(await after(ms), { event_key: CAPTURED.id }, `${ms} ms`)
  await t.rejects(after(-97 * HOUR_MS), /is older than 96 hours/)
  await t.rejects(after(360_000), /is in the future/)
})

const translate = (body: object, answers?: Json, options: SourceOptions = {}): Fact[] => [paypal.translate(stored(body, answers), options)].flat()
const said = (fact: Fact | undefined): Json =>
  fact === undefined ? {} : 'order' in fact ? { kind: fact.kind, ...fact.order() } : 'change' in fact ? { kind: fact.kind, ...fact.change() } : { ...fact }
const disputed = (resource: Json, type = 'CUSTOMER.DISPUTE.RESOLVED'): Event => event(DISPUTED, resource, { event_type: type })
const outcome = (outcome_code: string): Event => disputed({ status: 'RESOLVED', dispute_outcome: { outcome_code } })
const failed = { kind: 'payment_failed', ref: '5O190127TN364715T' }

/** What PayPal may say, and what it means. */
const meanings: Record<string, [event: Event, meaning: object]> = {
  'a capture that waits': [event(CAPTURED, {}, { event_type: 'PAYMENT.CAPTURE.PENDING' }), { kind: 'ignored' }],
  'an order that is approved': [event(CAPTURED, {}, { event_type: 'CHECKOUT.ORDER.APPROVED' }), { kind: 'ignored', reason: /^event_type: "CHECKOUT.ORDER.APPROVED"/ }],
  'a capture denied': [event(CAPTURED, {}, { event_type: 'PAYMENT.CAPTURE.DENIED' }), failed],
  'one declined': [event(CAPTURED, {}, { event_type: 'PAYMENT.CAPTURE.DECLINED' }), failed],
  'an approval taken back': [event(CAPTURED, { order_id: '5O190127TN364715T' }, { event_type: 'CHECKOUT.PAYMENT-APPROVAL.REVERSED' }), failed],
  'a refund': [REFUNDED, { kind: 'refunded', ref: '3C679366HH908993F', subject: '1JU08902781691411', amount: 5831 }],
  'a refund that failed': [event(REFUNDED, {}, { event_type: 'PAYMENT.REFUND.FAILED' }), { kind: 'refund_failed', ref: '3C679366HH908993F', subject: '1JU08902781691411' }],
  'a reversal': [event(REFUNDED, {}, { event_type: 'PAYMENT.CAPTURE.REVERSED' }), { kind: 'dispute_lost', ref: '3C679366HH908993F', subject: '3C679366HH908993F' }],
  'one told as a capture': [event(CAPTURED, {}, { event_type: 'PAYMENT.CAPTURE.REVERSED' }), { kind: 'dispute_lost', ref: '3C679366HH908993F' }],
  'a dispute': [DISPUTED, { kind: 'disputed', ref: '3C679366HH908993F', subject: '3C679366HH908993F' }],
  'one that goes on': [disputed({ status: 'UNDER_REVIEW' }, 'CUSTOMER.DISPUTE.UPDATED'), { kind: 'disputed' }],
  'one for the seller': [outcome('RESOLVED_SELLER_FAVOUR'), { kind: 'dispute_won', ref: '3C679366HH908993F', subject: '3C679366HH908993F' }],
  'one for the buyer': [outcome('RESOLVED_BUYER_FAVOUR'), { kind: 'dispute_lost' }],
  'one paid by PayPal': [outcome('RESOLVED_WITH_PAYOUT'), { kind: 'dispute_won' }],
  'one given up': [outcome('CANCELED_BY_BUYER'), { kind: 'dispute_won' }],
  'one given in to': [outcome('ACCEPTED'), { kind: 'dispute_lost' }],
}

// Guarantee: each thing that PayPal says means one thing here; what says too little is kept under its type, with a reason that names the field.
t.test('what it says', (t) => {
  for (const [name, [body, meaning]] of Object.entries(meanings)) {
    const [fact, ...others] = translate(body)
    t.strictSame(others, [], name)
    t.match(fact, { type: body['event_type'], mode: 'live', occurred_at: /^2026-11-2/ })
    t.match(said(fact), meaning, name)
  }
  for (const [body, reason] of [
    [outcome('NONE_KNOWN'), /^resource\.dispute_outcome\.outcome_code: "NONE_KNOWN"/], [event(REFUNDED, { links: [] }), /^resource\.links: /],
    [event(CAPTURED), /^resource\.custom_id: is needed/], [event(CAPTURED, { custom_id: '{"email":"a@b.example","prod' }), /^resource\.custom_id: begins as JSON/],
    [event(CAPTURED, { custom_id: 'PP-PRO:0' }), /^resource\.custom_id: /], [event(CAPTURED, { amount: undefined }), /^resource\.amount: is required/],
  ] as const) {
    const [fact] = translate(body)
    t.equal(fact?.type, body['event_type'])
    t.throws(() => said(fact), { message: reason })
  }
  const sandbox = JSON.parse(JSON.stringify(CAPTURED).replaceAll('api.paypal.com', 'api.sandbox.paypal.com')) as Event
  t.equal(translate(sandbox)[0]?.mode, 'test')
  t.equal(translate(disputed({ disputed_transactions: [{ seller_transaction_id: 'C1' }, { seller_transaction_id: 'C2' }] }, 'CUSTOMER.DISPUTE.CREATED')).length, 2)
  t.end()
})

// Guarantee: who paid for what is what the vendor's server wrote, whole or in part; PayPal is asked for the rest, and only for what is missing.
t.test('who paid for what', (t) => {
  const key = { has_api_key: true }
  const asked = { kind: 'unanswered', lookups: [{ name: 'order', path: '/v2/checkout/orders/5O190127TN364715T' }] }
  t.match(translate(CAPTURED, undefined, key)[0], asked, 'a number of the vendor\'s own says nothing')
  t.match(translate(event(CAPTURED, { custom_id: 'PP-PRO:2' }), undefined, key)[0], asked, 'products, and no customer')
  t.match(said(translate(event(CAPTURED, { custom_id: 'PP-PRO:2,PP-ADD:1' }), { order: ORDER }, key)[0]), {
    customer: { email: 'ada@example.com' }, line_items: [{ external_id: '1', product: 'PP-PRO', quantity: 2 }, { external_id: '2', product: 'PP-ADD', quantity: 1 }],
  })
  const custom_id = JSON.stringify({ email: 'grace@example.com', first_name: 'Grace', products: 'PP-PRO:2', locale: 'de', hold: 'HO-1', parent: 'O1' })
  t.match(said(translate(event(CAPTURED, { custom_id }), undefined, key)[0]), {
    kind: 'paid', locale: 'de', hold_id: 'HO-1', parent: 'O1', customer: { email: 'grace@example.com', first_name: 'Grace' }, line_items: [{ product: 'PP-PRO', quantity: 2 }],
  })
  t.strictSame(said(translate(CAPTURED, { order: ORDER }, key)[0]), {
    kind: 'paid',
    external_id: '5O190127TN364715T',
    currency: 'EUR',
    locale: undefined,
    total_amount: 5831,
    refs: ['3C679366HH908993F'],
    hold_id: undefined,
    parent: undefined,
    customer: { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace', country: 'GB' },
    line_items: [{ external_id: '1', product: ['PP-PRO', 'Pro License'], quantity: 1, unit_amount: 4900 }],
  })
  const [unit = {} as never] = ORDER.purchase_units
  const units = [{ ...unit, reference_id: 'a', payments: { captures: [{ id: 'OTHER' }] }, items: [] }, { ...unit, reference_id: 'b' }]
  t.match(said(translate(CAPTURED, { order: { ...ORDER, purchase_units: units } }, key)[0]), { is_partial: true, total_amount: undefined, line_items: [{ external_id: 'b/1' }] }, 'one of two units')
  t.end()
})

// Guarantee: a capture that says neither is kept, PayPal is asked with a token for the vendor's key, and the order is served; the key is nowhere to be seen.
t.test('PayPal is asked', async (t) => {
  const shop = await shopOf(t, sender, { api_url, api_key: 'client-id:client-secret' })
  const log = { info () {}, warn () {}, error () {} } as never
  const worker = startWorker({ db: shop.db, config: shop.config, keyring: shop.keyring, log, transport: { async send () {} } as never })
  t.teardown(() => worker.stop())
  api.received.length = 0
  const basic = `Basic ${Buffer.from('client-id:client-secret').toString('base64')}`
  api.answer = (request, response) => {
    const { path, headers: { authorization = '' } } = request
    const answers: Record<string, string> = { [CERTIFICATE]: genuine.pem, [`/v1/oauth2/token ${basic}`]: TOKEN, '/v2/checkout/orders/O88 Bearer A21AA': JSON.stringify(ORDER) }
    const answer = answers[`${path} ${authorization}`.trim()]
    status(answer === undefined ? 404 : 200, { 'content-type': 'application/json' }, answer)(request, response)
  }
  const waiting = await shop.send(payload(captured({ id: '88', quantity: 1 })))
  t.match(waiting, { status: 202, json: { status: 'waiting', order_id: null } })
  const processed = await until('the order', async () => {
    const kept = (await shop.call('GET', `/v1/payment-events/${String(waiting.json['id'])}`)).json<Json>()
    return kept['status'] === 'waiting' ? undefined : kept
  })
  t.match(processed, { status: 'processed', reason: null })
  t.match(await orderOf(shop, processed['order_id']), { external_id: 'O88', customer: { email: 'ada@example.com', first_name: 'Ada' }, fulfillment_status: 'fulfilled' })
  t.match(api.received.filter(({ path }) => path !== CERTIFICATE).map(({ method, path, body }) => [method, path, body]), [
    ['POST', '/v1/oauth2/token', 'grant_type=client_credentials'], ['GET', '/v2/checkout/orders/O88', ''],
  ])
  await shop.send(payload(refunded({ id: '88', quantity: 1 })))
  t.match(await orderOf(shop, processed['order_id']), { status: 'refunded' }, 'its capture is a name of it')
  await assertInvariants(t, shop.db)
})
