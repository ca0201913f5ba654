// kill -9 of a worker while it sends.
import { SMTPServer } from 'smtp-server'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { insist, keysOf, openShop, post, range, source, stocked, Tally } from './support.js'

const ORDERS = 12
const LEASE_MS = 2000
const RESUME_MS_MAX = 30_000

interface Holding { url: string, held: string[], accepted: string[], release: () => void }

/** A mail server that takes mails in whole and keeps its answer to itself, until it is released: from then on it answers new ones. */
async function holdingMailServer (t: Test): Promise<Holding> {
  const [held, accepted]: [string[], string[]] = [[], []]
  let holds = true
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    closeTimeout: 100,
    onData (stream, _session, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => { text += chunk.toString() }).on('end', () => {
        const id = /^Message-ID: (\S+)/im.exec(text)?.[1] ?? 'none'
        if (holds) {
          held.push(id)
          return
        }
        accepted.push(id)
        done()
      })
    },
  })
  server.on('error', () => {}) // a client that is killed resets its connection
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>((resolve) => { server.close(resolve) }))
  return { url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`, held, accepted, release: () => { holds = false } }
}

// Guarantee (B5, C2): what a killed worker was sending another one sends within 30 seconds, under the same Message-ID; what it had not begun
// does not wait at all. The default settings keep the same bound.
t.test('a worker is killed while the mail server holds its mails', { timeout: 110_000 }, async (t) => {
  const mail = await holdingMailServer(t)
  const shop = await openShop(t, { SMTP_URL: mail.url, DELIVERY_LEASE_MS: String(LEASE_MS), WORKER_POLL_MS: '50' })
  const [api, first] = [shop.start('api'), shop.start('worker')]
  const base = await api.url()
  await until('the worker to run', () => first.output().includes('the worker runs'), 60_000)
  const from = await source(shop, base)
  await stocked(shop, base, 'A', keysOf('A', ORDERS))
  const tally = new Tally()
  await Promise.all(range(ORDERS).map((number) => insist(`order ${number}`, tally, () => post(base, from, { number, lines: [['A', 1]] }))))
  const { worker_concurrency, delivery_lease_ms, worker_poll_ms } = readConfig({})
  await until('the mails to be held', () => mail.held.length === worker_concurrency)

  const second = shop.start('worker')
  mail.release()
  await until('the other mails to be accepted', () => second.output().includes('the worker runs') && mail.accepted.length >= ORDERS - worker_concurrency, 60_000)
  t.ok(mail.held.every((id) => !mail.accepted.includes(id)), 'a worker that lives and waits keeps its mails')
  first.child.kill('SIGKILL')
  const killed_at = performance.now()
  await until('the rest to be accepted', () => new Set(mail.accepted).size === ORDERS, RESUME_MS_MAX)
  const resumed_ms = Math.round(performance.now() - killed_at)

  t.ok(mail.held.every((id) => mail.accepted.includes(id)), 'under the Message-ID that the killed worker had used')
  t.equal(mail.accepted.length, ORDERS, 'and once each')
  t.ok(resumed_ms <= LEASE_MS + 5000, 'soon after the lease lapses')
  t.ok(delivery_lease_ms + worker_poll_ms + 5000 <= RESUME_MS_MAX, 'by default: the lease, a poll, and five seconds to claim and send, are within 30 s')
  t.strictSame(tally.seen, { 200: ORDERS }, 'the webhooks did not wait for the mail server')
  await until('every delivery to be sent', async () =>
    (await shop.server.db.selectFrom('deliveries').select('id').where('status', '<>', 'sent').execute()).length === 0)
  await assertInvariants(t, shop.server.db)
  t.comment(`${ORDERS} mails, ${mail.held.length} held by the killed worker, all resumed ${resumed_ms} ms after the kill with a lease of ${LEASE_MS} ms`)
})
