import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { demands, eventsOf, isFulfilled, order, scene, SECRET, supplied, webService, work } from './support.js'

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
