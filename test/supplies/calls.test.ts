import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { load } from '../support/vendor.js'
import { demands, eventsOf, isFulfilled, order, scene, SECRET, supplied, webService, work, type Received } from './support.js'

// Guarantee: a line that its pool cannot cover gets its licenses from the vendor's service, one call a unit or one for the line, in one mail, and the counts of
// the pool hold; the call is what docs/supplies.md says, byte for byte.
t.test('a call for each unit, and one for the line', async (t) => {
  for (const per of ['unit', 'line'] as const) {
    const it = await scene(t)
    await supplied(it, webService(it, { per, secret: SECRET }))
    const { mails, log } = work(t, it)
    const id = await order(it, 3, { customer: { email: 'ada@example.com', country: 'GB' } })
    const { keys } = await isFulfilled(it, id)
    t.equal(new Set(keys).size, 3)
    t.equal(it.service.received.length, per === 'unit' ? 3 : 1)
    const all = await demands(it, id)
    for (const { body, headers, method } of it.service.received) {
      const Quantity = per === 'unit' ? '1' : '3'
      const { external_id } = await it.db.selectFrom('orders').select('external_id').where('id', '=', id).executeTakeFirstOrThrow()
      t.equal(body, `{"Order":"${external_id}","Item":"${id}-1","ID":"${it.product_id}","Quantity":"${Quantity}","Order_sum":"147.00","Currency":"EUR","Zone":"GB"}`)
      t.match({ method, headers }, { method: 'POST', headers: { 'content-type': 'application/json; charset=utf-8', 'idempotency-key': /^SO-\w+-1$/ } })
      t.doesNotThrow(() => new Webhook(SECRET).verify(body, headers as Record<string, string>))
    }
    t.match(all, all.map(() => ({ status: 'done', attempts: 1, batch_id: /^BA-/, last_error: null })))
    await until('the mail', () => mails.length > 0)
    t.equal(mails.length, 1, 'one mail')
    for (const key of keys) t.ok(mails[0]?.includes(key))
    t.notMatch(JSON.stringify(log), new RegExp(`${SECRET}|${keys.join('|')}`))
    t.ok((await eventsOf(it, id)).includes('order.fulfilled'))
    await assertInvariants(t, it.db)
  }
})

// Guarantee: the call for a line that renews another says of which subscription it is, and hands over the licenses that the customer has had.
t.test('a renewal', async (t) => {
  const it = await scene(t)
  await load(it.call, it.pool_id, ['ABCD-FIRST-1', 'ABCD-FIRST-2'])
  const first = await order(it, 2)
  await supplied(it, webService(it))
  work(t, it)
  const line_items = [{ product: 'sku-pro', quantity: 1, unit_amount: 4900, period: 'P1Y' }]
  await isFulfilled(it, await order(it, 1, { parent: first, line_items }))
  const { body } = it.service.received[0] as Received
  const keys = 'ABCD-FIRST-1\\nABCD-FIRST-2'
  t.ok(body.endsWith(`,"Zone":"","Subscription_ID":"${first}-1","Subscription_period":"P1Y","Key_first_renew":"${keys}","Key_last_renew":"${keys}"}`), body)
  await assertInvariants(t, it.db)
})

/** A port that nobody listens on, for a program that cannot be told to find one. */
async function freePort (): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

// Guarantee: the service that docs/supplies.md shows works as it stands: an order is fulfilled by it, and it refuses calls that are not signed.
t.test('the service of the documents', async (t) => {
  const it = await scene(t)
  const [, program = ''] = /```js\n([^]*?)```/.exec(readFileSync('docs/supplies.md', 'utf8')) ?? []
  const port = await freePort()
  const child = spawn(process.execPath, ['--input-type=module', '-e', program.replace('8080', `${port}, '127.0.0.1'`)], { env: { ...process.env, NODE_OPTIONS: '', SECRET }, stdio: 'inherit' })
  t.teardown(() => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}/issue`
  const unsigned = await until('the service to listen', async () => fetch(url, { method: 'POST', body: '{}' }).catch(() => undefined))
  t.equal(unsigned.status, 401)
  await supplied(it, { type: 'web_service', url, secret: SECRET })
  work(t, it)
  const id = await order(it, 2, { external_id: 'DOC-1' })
  const { keys } = await isFulfilled(it, id)
  t.match(keys, [/^DOC-1-/, /^DOC-1-/])
  await assertInvariants(t, it.db)
})
