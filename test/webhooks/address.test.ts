import net from 'node:net'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { mayBeCalled, resolveName } from '../../src/webhooks/address.js'
import { call, type Line } from '../../src/webhooks/call.js'
import { receiver, status } from '../support/receiver.js'
import { CHANGE, changeOf, makeWebhook, reaches, scene, tell, work } from './support.js'

/** Networks that nobody of the internet has, by their registry: IANA's special-purpose addresses, multicast, what is not given out. */
const CLOSED = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.254', '127.0.0.1', '127.1.2.3', '127.255.255.254', '169.254.0.1', '169.254.169.254',
  '172.16.0.1', '172.31.255.254', '192.0.0.1', '192.0.0.8', '192.0.0.170', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.255.255', '198.18.0.1', '198.19.255.254',
  '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255',
  '::', '::1', '::127.0.0.1', '::10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1',
  '64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::7f00:1', '100::1', '100:0:0:1::1', '2001::1', '2001:0:7f00:1::', '2001:2::1', '2001:10::1', '2001:20::1',
  '2001:db8::1', '2002:7f00:1::', '2002:a00:1::1', '2002:a9fe:a9fe::', '3fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%lo', 'fec0::1', 'ff02::1', 'ff0e::1',
  '4000::1', '1::1',
]
const OPEN = ['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.1', '100.63.255.255', '100.128.0.1', '126.255.255.255', '128.0.0.1', '169.253.255.255', '172.15.255.255', '172.32.0.1',
  '192.167.255.255', '192.169.0.1', '198.17.255.255', '198.20.0.1', '223.255.255.255', '2606:4700::1111', '2a00:1450:4001::1', '2001:4860:4860::8888', '2400:cb00::1']

// Guarantee (E5): only addresses that are given out to anybody may be called; a network that is allowed opens itself and nothing else.
t.test('which addresses may be called', async (t) => {
  for (const address of CLOSED) t.notOk(mayBeCalled(address, []), address)
  for (const address of OPEN) t.ok(mayBeCalled(address, []), address)
  for (const nothing of ['', 'localhost', '127.1', '2130706433', '0x7f000001', '8.8.8.8 ', '8.8.8.8/32', '[::1]']) t.notOk(mayBeCalled(nothing, []), JSON.stringify(nothing))
  const allowed = ['10.1.0.0/16', 'fd00::/8', '192.168.1.7/32']
  for (const address of ['10.1.2.3', 'fd12::1', '192.168.1.7']) t.ok(mayBeCalled(address, allowed), address)
  for (const address of ['10.2.0.1', 'fc00::1', '192.168.1.8', '127.0.0.1', '::ffff:10.1.2.3', '::10.1.2.3']) t.notOk(mayBeCalled(address, allowed), address)
})

/** Everything on this machine listens here: whoever reaches loopback, by whatever name, is counted. */
async function canary (t: { teardown (work: () => unknown): unknown }): Promise<{ port: number, touched: () => number }> {
  let touched = 0
  const server = net.createServer((socket) => { touched++; socket.destroy() })
  await new Promise<void>((resolve) => { server.listen({ port: 0, host: '::', ipv6Only: false }, resolve) })
  t.teardown(() => new Promise((resolve) => { server.close(resolve) }))
  return { port: (server.address() as AddressInfo).port, touched: () => touched }
}

const post = (line: Line, url: string) => call(line, { url, method: 'POST', headers: {}, body: '{}' })

/** Ways to write this machine, or a network near it, in a URL. */
const SPELLINGS = [
  '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '127.000.000.001', '0177.0.0.1', '0177.1', '017700000001', '2130706433', '0x7f000001', '0x7f.0.0.1', '0x7f.1', '0X7F.0.1',
  '0x7f.0x0.0x0.0x1', '127.0.0.1.', '127。0。0。1', '①②⑦.⓪.⓪.①', '１２７.０.０.１', '%31%32%37.0.0.1', '0', '0.0.0.0', '0x0', '00.00.00.00', '0.0.0.1',
  'localhost', 'LOCALHOST', 'localhost.', 'ⓛocalhost', 'a.localhost', 'loc%61lhost',
  '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:127.0.0.1]', '[::FFFF:7F00:0001]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::ffff:0:127.0.0.1]',
  '[::ffff:0.0.0.0]', '[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::127.0.0.1]', '[2002:7f00:1::]', '[2002:7f00:0001::1]', '[2001:0:7f00:1::]', '[fe80::1]', '[fc00::1]', '[fec0::1]',
  '169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[fd00:ec2::254]', '10.0.0.1', '10.1', '172.16.0.1', '192.168.0.1',
  '192.168.257', '100.64.0.1', '198.18.0.1', '192.0.0.1', '224.0.0.1', '239.1.1.1', '255.255.255.255', '240.0.0.1', '[ff02::1]', '[ff05::1]',
]

// Guarantee (E5): however loopback or a network near us is written, no connection is even tried.
t.test('spellings', async (t) => {
  const { port, touched } = await canary(t)
  const line = { timeout_ms: 2000, allowed_networks: [] }
  t.ok(SPELLINGS.length >= 60)
  for (const host of SPELLINGS) {
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://${host}:${port}/`
      if (!URL.canParse(url)) { t.pass(`${host} is no URL`); continue }
      t.match(await post(line, url), { status_code: null, error: 'the address is not one that may be called' }, url)
    }
  }
  t.equal(touched(), 0)
  const reached = await post({ ...line, allowed_networks: ['127.0.0.0/8'] }, `http://2130706433:${port}/`)
  t.match(reached, { status_code: null, error: /no answer: ECONNRESET/ })
  t.equal(touched(), 1, 'the canary sings when it is touched')
})

// Guarantee (E5): a name is judged by the addresses that are connected to, whatever it answers the next time; no address, or an error, is no.
t.test('names', async (t) => {
  const { port, touched } = await canary(t)
  const named = (...answers: string[][]): Line => ({ timeout_ms: 2000, allowed_networks: [], resolve: async () => answers.shift() ?? ['127.0.0.1'] })
  const closed = [['127.0.0.1'], ['::1'], ['10.0.0.1', '169.254.169.254'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1'], ['fe80::1%lo'], ['0.0.0.0'], ['nonsense']]
  for (const addresses of closed) t.match(await post(named(addresses), `http://rebind.example:${port}/`), { status_code: null, error: 'the address is not one that may be called' })
  t.match(await post(named([]), `http://rebind.example:${port}/`), { error: 'no answer: ENOTFOUND' })
  t.match(await post({ ...named(), resolve: async () => { throw new Error('the name server is gone') } }, `http://rebind.example:${port}/`), { status_code: null, error: /no answer: Error/ })

  // the first look-up gives an open address that nobody answers at, the second would give loopback: there is no second
  let lookups = 0
  const rebinding: Line = { timeout_ms: 2000, allowed_networks: ['127.0.0.2/32'], resolve: async () => ++lookups === 1 ? ['127.0.0.2', '127.0.0.1'] : ['127.0.0.1'] }
  const other = await receiver(t, status(204), '127.0.0.2')
  t.match(await post(rebinding, `http://rebind.example:${other.port}/`), { status_code: 204 }, 'of several addresses, those that may be')
  t.strictSame([lookups, other.received[0]?.headers.host], [1, `rebind.example:${other.port}`])
  t.match(await post(rebinding, `http://rebind.example:${port}/`), { error: 'the address is not one that may be called' })
  t.equal(touched(), 0)
  t.strictSame(await resolveName('localhost'), ['127.0.0.1', '::1'])
  t.strictSame(await resolveName('x.invalid'), [])
})

// Guarantee (E5): what a tenant registers is judged again when it is called, end to end: by name, and by redirect.
t.test('end to end', async (t) => {
  const it = await scene(t)
  const { port, touched } = await canary(t)
  const named = await makeWebhook(it, `http://localhost:${port}/`, CHANGE)
  const literal = await makeWebhook(it, `http://127.0.0.1:${port}/`, CHANGE) // allowed when it was registered
  const outside = await receiver(t, status(302, { location: `http://127.0.0.1:${port}/` }), '127.0.0.2')
  const redirected = await makeWebhook(it, outside.url, CHANGE)
  work(t, it, { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.2/32' })
  await tell(it, changeOf(it))
  for (const { id } of [named, literal]) t.match(await reaches(it, id, 'planned', 1), { last_error: 'the address is not one that may be called' })
  t.match(await reaches(it, redirected.id, 'planned', 1), { last_error: 'the endpoint answered 302' })
  t.equal(touched(), 0)
})

// Guarantee: loopback is open on the trial default only; a network that is none stops the start.
t.test('the setting', async (t) => {
  t.strictSame(readConfig({}).webhook_allowed_networks, ['127.0.0.0/8', '::1/128'])
  t.strictSame(readConfig({ DATABASE_URL: 'postgres://x' }).webhook_allowed_networks, [])
  t.strictSame(readConfig({ WEBHOOK_ALLOWED_NETWORKS: '10.0.0.0/8, fd00::/8' }).webhook_allowed_networks, ['10.0.0.0/8', 'fd00::/8'])
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'all', '10.0.0.0/8,', '10.0/8']) t.throws(() => readConfig({ WEBHOOK_ALLOWED_NETWORKS: wrong }), /WEBHOOK_ALLOWED_NETWORKS must be/, wrong)
})
