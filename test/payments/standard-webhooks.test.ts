import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { headerOf, messageOf, signatureOf, withHeader, type Message } from '../support/webhooks.js'
import { checkout, paid, state, type Checkout } from './support.js'

const ID = 'webhook-id'
const TIMESTAMP = 'webhook-timestamp'
const SIGNATURE = 'webhook-signature'

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const flipped = (text: string, at: number): string => `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
const change = (message: Message, name: string, how: (value: string) => string): Message => withHeader(message, name, how(headerOf(message, name)))
const twice = (message: Message, name: string, other: string): Message => ({ ...message, headers: [...message.headers, name, other] })
const body = (message: Message, bytes: Buffer): Message => ({ ...message, body: bytes })

/** Changes each of which leaves the signature, the time or the bytes not what the secret vouches for. */
const nearMisses: Record<string, (message: Message, shop: Checkout) => Message> = {
  'first byte of the body': (m) => body(m, Buffer.concat([Buffer.from(' '), m.body.subarray(1)])),
  'a byte in the middle of the body': (m) => body(m, Buffer.from(m.body.toString().replace('"quantity":1', '"quantity":2'))),
  'last byte of the body': (m) => body(m, Buffer.concat([m.body.subarray(0, -1), Buffer.from(']')])),
  'a byte more': (m) => body(m, Buffer.concat([m.body, Buffer.from('\n')])),
  'a byte less': (m) => body(m, m.body.subarray(0, -1)),
  'no body': (m) => body(m, Buffer.alloc(0)),
  'the same JSON in other bytes': (m) => body(m, Buffer.from(JSON.stringify(JSON.parse(m.body.toString()), null, 1))),
  'a BOM before it': (m) => body(m, Buffer.concat([Buffer.from('\ufeff'), m.body])),
  'another id': (m) => change(m, ID, (id) => flipped(id, 0)),
  'a longer id': (m) => change(m, ID, (id) => `${id}x`),
  'the id in capitals': (m) => change(m, ID, (id) => `A${id.toUpperCase()}`),
  'the point moved from id to time': (m) => {
    const [id, time] = [headerOf(m, ID), headerOf(m, TIMESTAMP)]
    return withHeader(withHeader(m, ID, `${id}.${time.slice(0, 1)}`), TIMESTAMP, time.slice(1))
  },
  'an id with a space': (m) => change(m, ID, (id) => `${id} x`),
  'an empty id': (m) => withHeader(m, ID, ''),
  'an id of 256 characters': (m, { source }) => messageOf(source.secret, m.body.toString(), { id: 'x'.repeat(256) }),
  'a second later': (m) => change(m, TIMESTAMP, (time) => String(Number(time) + 1)),
  'a leading zero in the time': (m) => change(m, TIMESTAMP, (time) => `0${time}`),
  'a fraction in the time': (m) => change(m, TIMESTAMP, (time) => `${time}.0`),
  'a plus before the time': (m) => change(m, TIMESTAMP, (time) => `+${time}`),
  milliseconds: (m) => change(m, TIMESTAMP, (time) => `${time}000`),
  'a time in words': (m) => withHeader(m, TIMESTAMP, new Date().toISOString()),
  'the time 1e9': (m) => withHeader(m, TIMESTAMP, '1e9'),
  'the time NaN': (m) => withHeader(m, TIMESTAMP, 'NaN'),
  'a time of 400 digits': (m) => withHeader(m, TIMESTAMP, '9'.repeat(400)),
  'a negative time': (m) => withHeader(m, TIMESTAMP, '-1'),
  'an empty time': (m) => withHeader(m, TIMESTAMP, ''),
  'another secret': (m) => messageOf(newSecret(), m.body.toString()),
  'the secret as text, not base64': (m, { source }) => messageOf(`whsec_${Buffer.from(source.secret).toString('base64')}`, m.body.toString()),
  'an empty key': (m) => withHeader(m, SIGNATURE, `v1,${signatureOf('whsec_', headerOf(m, ID), headerOf(m, TIMESTAMP), m.body)}`),
  'the signature with a byte changed': (m) => change(m, SIGNATURE, (signature) => flipped(signature, 10)),
  'the signature without its last character': (m) => change(m, SIGNATURE, (signature) => signature.slice(0, -1)),
  'half a signature': (m) => change(m, SIGNATURE, (signature) => signature.slice(0, 20)),
  'one character of a signature': (m) => change(m, SIGNATURE, (signature) => signature.slice(0, 4)),
  'an empty signature': (m) => withHeader(m, SIGNATURE, 'v1,'),
  'an empty header': (m) => withHeader(m, SIGNATURE, ''),
  'a signature of 6 kB': (m) => change(m, SIGNATURE, (signature) => signature + 'A'.repeat(6000)),
  'the right one after 6 kB in one part': (m) => change(m, SIGNATURE, (signature) => `v1,${'A'.repeat(6000)}${signature}`),
  'a signature in hex': (m) => change(m, SIGNATURE, (signature) => `v1,${Buffer.from(signature.slice(3), 'base64').toString('hex')}`),
  'a signature in base64url': (m) => change(m, SIGNATURE, (signature) => signature.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')),
  'no version': (m) => change(m, SIGNATURE, (signature) => signature.slice(3)),
  'version v0': (m) => change(m, SIGNATURE, (signature) => signature.replace('v1', 'v0')),
  'version v1a': (m) => change(m, SIGNATURE, (signature) => signature.replace('v1', 'v1a')),
  'version V1': (m) => change(m, SIGNATURE, (signature) => signature.replace('v1', 'V1')),
  'v1= for v1,': (m) => change(m, SIGNATURE, (signature) => signature.replace('v1,', 'v1=')),
  'a space after the version': (m) => change(m, SIGNATURE, (signature) => signature.replace('v1,', 'v1, ')),
  'a list by commas': (m) => change(m, SIGNATURE, (signature) => `v1,AAAA,${signature}`),
  'no id': (m) => withHeader(m, ID, undefined),
  'no time': (m) => withHeader(m, TIMESTAMP, undefined),
  'no signature': (m) => withHeader(m, SIGNATURE, undefined),
  'two ids': (m) => twice(m, ID, headerOf(m, ID)),
  'two times': (m) => twice(m, TIMESTAMP, headerOf(m, TIMESTAMP)),
  'two wrong signatures': (m) => twice(change(m, SIGNATURE, (signature) => flipped(signature, 5)), SIGNATURE, 'v1,AAAA'),
  'the header of another scheme': (m) => ({ ...withHeader(m, SIGNATURE, undefined), headers: [...withHeader(m, SIGNATURE, undefined).headers, 'stripe-signature', headerOf(m, SIGNATURE)] }),
}

// Guarantee (D1, D5): what a secret of the source does not vouch for, byte for byte, is refused with 401 and leaves nothing.
t.test('near misses', async (t) => {
  const shop = await checkout(t)
  const before = await state(shop)
  for (const [name, miss] of Object.entries(nearMisses)) {
    const { status, json } = await shop.post(miss(messageOf(shop.source.secret, JSON.stringify(paid('A-1'))), shop))
    t.equal(status, 401, name)
    t.match(json, { type: '/docs/problems#signature-invalid', error_code: 'PAY_001', status: 401 }, name)
  }
  t.ok(Object.keys(nearMisses).length >= 35)
  t.equal(await state(shop), before, 'and nothing is stored')
  t.equal((await shop.send(paid('A-1'))).status, 200, 'while the message itself is good')
})

// Guarantee (D6): a secret opens its own source only, whoever has it.
t.test('the secret of another source', async (t) => {
  const shop = await checkout(t)
  const other = (await shop.call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'other' })).json<{ id: string, secret: string }>()
  const before = await state(shop)
  t.equal((await shop.post(messageOf(other.secret, JSON.stringify(paid('A-1'))))).status, 401)
  t.equal((await shop.post(messageOf(shop.source.secret, JSON.stringify(paid('A-1'))), other.id)).status, 401)
  t.equal(await state(shop), before)
  t.equal((await shop.post(messageOf(shop.source.secret, JSON.stringify(paid('A-1'))), 'PS-0')).status, 404)
})

// Guarantee (D3): a message is good for 300 s both ways by our clock, as the libraries of the standard have it.
t.test('age', async (t) => {
  const shop = await checkout(t)
  for (const [shift, status] of [[-290, 200], [290, 200], [-310, 401], [310, 401], [-86400, 401], [86400, 401]] as const) {
    t.equal((await shop.send(paid(`A${shift}`), { at: new Date(Date.now() + shift * 1000) })).status, status, `${shift} s`)
  }
  await assertInvariants(t, shop.db)
})

// Guarantee (D6): of several signatures one that is right is enough, in any place, beside versions not known here; header names in any case.
t.test('several signatures', async (t) => {
  const shop = await checkout(t)
  const wrong = `v1,${randomBytes(32).toString('base64')}`
  const lists = ['GOOD', `GOOD ${wrong}`, `${wrong} GOOD`, `${wrong} ${wrong} GOOD`, 'v1a,AAAA GOOD v2,xx', ' GOOD ', `${wrong}  GOOD`, 'v1, GOOD', `${`${wrong} `.repeat(100)}GOOD`]
  for (const [i, list] of lists.entries()) {
    const message = messageOf(shop.source.secret, JSON.stringify(paid(`A-${i}`)))
    t.equal((await shop.post(change(message, SIGNATURE, (good) => list.replace('GOOD', good)))).status, 200, list.slice(0, 60))
  }
  const { headers, ...rest } = messageOf(shop.source.secret, JSON.stringify(paid('B-1')))
  t.equal((await shop.post({ ...rest, headers: headers.map((text, i) => i % 2 === 0 ? text.toUpperCase() : text) })).status, 200, 'WEBHOOK-ID')
  await assertInvariants(t, shop.db)
})

// Guarantee (D2): the bytes that were signed decide, not what JSON they are; what the body has beside the order is ignored.
t.test('whatever bytes were signed', async (t) => {
  const shop = await checkout(t)
  const text = (external_id: string, replace: (json: string) => string = (json) => json): string => replace(JSON.stringify(paid(external_id)))
  const bodies: Record<string, string> = {
    pretty: JSON.stringify(paid('pretty'), null, 4),
    CRLF: JSON.stringify(paid('CRLF'), null, 2).replaceAll('\n', '\r\n'),
    'key order': JSON.stringify(Object.fromEntries(Object.entries(paid('key order')).reverse())),
    escapes: text('escapes', (json) => json.replace('sku-pro', '\\u0073ku-\\u0070ro').replace('"data"', '"\\u0064ata"')),
    'an astral character': text('an astral character', (json) => json.replace('"Ada"', '"\\ud83d\\ude00 😀"')),
    '1.0': text('1.0', (json) => json.replace('"quantity":1', '"quantity":1.0')),
    '1e0': text('1e0', (json) => json.replace('"quantity":1', '"quantity":1e0')),
    '20 digits': text('20 digits', (json) => json.replace('"type"', '"id":12345678901234567890,"type"')),
    '400 digits': text('400 digits', (json) => json.replace('"type"', `"id":${'9'.repeat(400)},"type"`)),
    unknown: JSON.stringify(paid('unknown', { line_items: [{ product: 'sku-pro', quantity: 1, colour: 'red' }], tags: [1], customer: { email: 'a@example.com', vip: true } }, { api_version: 3 })),
    'spaces around': ` \n${text('spaces around')}\t `,
    'no timestamp': JSON.stringify(paid('no timestamp', {}, { timestamp: undefined })),
    'repeated members': text('other', (json) => json.replace('"external_id":"other"', '"external_id":"other","external_id":"repeated members"')),
  }
  for (const [name, body] of Object.entries(bodies)) {
    const { status, json } = await shop.send(body)
    t.equal(status, 200, name)
    const order = (await shop.call('GET', `/v1/orders/${String(json['order_id'])}`)).json()
    t.match(order, { external_id: name, fulfillment_status: 'fulfilled', line_items: [{ quantity: 1, licenses: { length: 1 } }] }, name)
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8', 'application/cloudevents+json', undefined]) {
    t.equal((await shop.post(withHeader(messageOf(shop.source.secret, text(`type ${type}`)), 'content-type', type))).status, 200, `content-type: ${type}`)
  }
  for (const type of ['nonsense', 'application/json; charset=utf-16']) {
    t.equal((await shop.post(withHeader(messageOf(shop.source.secret, text(`type ${type}`)), 'content-type', type))).status, 415, `but never guessed: ${type}`)
  }
  t.match(new Webhook(shop.source.secret).verify(text('x'), Object.fromEntries([[ID, 'm'], [TIMESTAMP, String(Math.floor(Date.now() / 1000))],
    [SIGNATURE, new Webhook(shop.source.secret).sign('m', new Date(), text('x'))]])), { type: 'order.paid' }, 'a secret made here is one of the standard')
  await assertInvariants(t, shop.db)
})
