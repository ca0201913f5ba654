// Many mails against a server that fails at random: 2,000, and 10,000 with THOROUGH.
import PostalMime from 'postal-mime'
import { sql } from 'kysely'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { startWorker } from '../../src/worker.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { scriptedMailServer } from '../support/smtp.js'
import { until } from '../support/until.js'
import { callsOf, keys, makePool, makeProduct, orderOf } from '../support/vendor.js'

const MAILS = process.env['THOROUGH'] === undefined ? 2000 : 10_000
const MAILS_PER_ORDER = 20

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function randomOf (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const messageIdOf = (raw: string): string => /^Message-ID: (\S+)/im.exec(raw)?.[1] ?? ''

// Guarantee (C1, C2, C5): whatever a mail server does, each mail is accepted at least once; more often only where the connection was cut after the mail had
// come whole and nobody could know, and then under the same Message-ID.
t.test('a server that fails at random', { timeout: 300_000 }, async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  t.comment(`seed ${seed}`)
  const random = randomOf(seed)
  const accepted = new Map<string, number>()
  const cutAfter = new Map<string, number>()
  const note = (map: Map<string, number>, id: string): void => { map.set(id, (map.get(id) ?? 0) + 1) }
  const server = await scriptedMailServer(t, (said) => {
    const chance = random()
    if (said === '.') {
      const id = messageIdOf(server.mails.at(-1) ?? '')
      if (chance < 0.03) { note(cutAfter, id); return 'cut' }
      if (chance < 0.05) return '451 4.3.0 later'
      if (chance < 0.06) return '421 4.3.2 shutting down'
      note(accepted, id)
      return undefined
    }
    if (chance > 0.03) return undefined
    return chance < 0.015 ? 'cut' : chance < 0.02 || said === 'CONNECT' ? '421 4.3.2 busy' : '450 4.2.0 later'
  })
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  // as many products as an order has mails, with a pool for all
  const skus = Array.from({ length: MAILS_PER_ORDER }, (_, i) => `sku-${i}`)
  for (const sku of skus) await makeProduct(call, sku)
  await makePool(call, {}, keys(MAILS))
  const line_items = skus.map((product, i) => ({ external_id: String(i), product, quantity: 1 }))
  for (let i = 0; i < MAILS / MAILS_PER_ORDER; i++) await call('POST', '/v1/orders', orderOf(`A-${i}`, { line_items }))
  const quiet = (): void => {}
  const config = readConfig({ SMTP_URL: server.url, WORKER_CONCURRENCY: '8', WORKER_POLL_MS: '20', MAIL_FROM: 'Acme <keys@acme.example>' })
  const log = { info: quiet, warn: quiet, error: quiet }
  const worker = startWorker({ db: service.db, config, keyring: service.keyring, log, retry_delay_ms: (attempts) => attempts < 21 ? 5 : undefined })
  t.teardown(() => worker.stop(0))
  await until('every mail is sent', async () => {
    const { rows: [left] } = await sql<{ count: string }>`select count(*) from deliveries where status in ('planned', 'sending')`.execute(service.db)
    return left?.count === '0'
  }, 240_000)
  await worker.stop()

  const deliveries = await service.db.selectFrom('deliveries').select(['message_id', 'status']).execute()
  t.equal(deliveries.length, MAILS)
  t.same(deliveries.filter(({ status }) => status !== 'sent'), [], 'all are sent')
  t.same(deliveries.filter(({ message_id }) => accepted.get(message_id ?? '') !== 1), [], 'each was accepted once')
  const known = new Set(deliveries.map(({ message_id }) => message_id))
  const came = new Map<string, number>()
  for (const mail of server.mails) note(came, messageIdOf(mail))
  t.same([...came.keys()].filter((id) => !known.has(id)), [], 'under no other Message-ID')
  const unknowable = [...cutAfter.values()].reduce((sum, count) => sum + count, 0)
  const { rows: [tries] } = await sql<{ count: string }>`select count(*) from delivery_attempts`.execute(service.db)
  t.comment(`${MAILS} mails: ${tries?.count} tries, ${server.mails.length} came whole, ${unknowable} of them cut before their 250: possible duplicates`)
  t.ok(unknowable > 0 && Number(tries?.count) > MAILS, 'the storm blew')
  t.match((await PostalMime.parse(server.mails[0] ?? '')).text, /ABCD-EFGH-/)
  await assertInvariants(t, service.db)
})
