// Mails a second of the service's worker, from planned deliveries in PostgreSQL, against nodemailer alone: the same server that takes everything, the same
// number of connections, equally big mails, in turn. Each has a process of its own. npx tsx bench/deliver.ts [mails] [rounds] [connections]
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { createTransport } from 'nodemailer'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { newId } from '../src/ids.js'
import { render } from '../src/mailer/render.js'
import { readKeyring, seal } from '../src/sealing.js'
import { startWorker } from '../src/worker.js'
import { ACCOUNT, figures, foreignShare, POOL, print, printHead, stage, type Stage } from './support.js'

const [role = 'all'] = process.argv.slice(2).filter((arg) => !/^\d+$/.test(arg))
const [MAILS = 10_000, ROUNDS = 4, CONNECTIONS = 8] = process.argv.slice(2).filter((arg) => /^\d+$/.test(arg)).map(Number)
const WARM_UP = 3000 // both compile what they run often
const KEY = 'BENCH-7F3K-9Q2M-XX41-0000'
const CUSTOMER = { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' }

/** A mail server that takes everything, tells its parent its port, and each time it has as many mails as it was told to wait for. */
function sink (): void {
  let [taken, wanted] = [0, Infinity]
  const reach = (): void => { if (taken >= wanted) { [taken, wanted] = [0, Infinity]; process.send?.('reached') } }
  const server = net.createServer({ noDelay: true }, (socket) => {
    let [text, inData] = ['', false]
    socket.write('220 sink\r\n')
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      let replies = ''
      for (;;) {
        const mark = inData ? '\r\n.\r\n' : '\r\n'
        const end = text.indexOf(mark)
        if (end < 0) break
        const said = text.slice(0, end)
        text = text.slice(end + mark.length)
        if (inData) { inData = false; taken++; replies += '250 queued\r\n' } else if (said.startsWith('EHLO')) replies += '250-sink\r\n250 PIPELINING\r\n'
        else if (said === 'DATA') { inData = true; replies += '354 go on\r\n' } else replies += said === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n'
      }
      if (replies !== '') socket.write(replies, reach)
    })
  })
  server.listen(0, '127.0.0.1', () => { process.send?.((server.address() as AddressInfo).port) })
  process.on('message', (count: number) => { wanted = count })
}

/** nodemailer alone: composes and sends as many mails as it is told to. */
function alone (): void {
  const { SMTP_URL = '' } = process.env
  const transport = createTransport({ url: SMTP_URL, pool: true, maxConnections: CONNECTIONS })
  const mail = writtenMail()
  process.on('message', async (count: number) => {
    let left = count
    await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) {
        await transport.sendMail({
          ...mail, from: 'Bench <bench@acme.example>', to: { name: 'Ada Lovelace', address: CUSTOMER.email }, messageId: `<${newId('DE')}@acme.example>`, headers: { 'Auto-Submitted': 'auto-generated' },
        })
      }
    }))
    process.send?.('done')
  })
  process.send?.('ready')
}

/** What the worker's mails say. */
function writtenMail (): { subject: string, text: string, html: string } {
  const { subject, text, html } = render({
    sender: 'bench',
    product: { id: 'PRD-bench', name: 'Bench', mail_template: { subject: 'Key', text: '{KEY}' }, locales: {} },
    order: { external_id: newId('OR'), currency: 'EUR', locale: null, customer: CUSTOMER },
    quantity: 1,
    unit_amount: 4900n,
    total_amount: 4900n,
    licenses: [{ key: KEY, expires_at: null }],
    order_page_url: null,
    now: new Date(),
  } as unknown as Parameters<typeof render>[0])
  return { subject, text, html }
}

/** The service's worker, with nothing but mail to do. */
function worker (): void {
  const config = readConfig()
  const quiet = (): void => {}
  startWorker({ db: connectDatabase(config.database_url ?? '', config), config, keyring: readKeyring(config.latchkey_keys ?? ''), log: { info: quiet, warn: console.error, error: console.error } })
  process.send?.('ready')
}

/** Deliveries of one license each, due at no time yet. */
async function plan ({ db, keyring }: Stage, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => {
    const [license_id, order_id] = [newId('LI'), newId('OR')]
    return { license_id, order_id, line_item_id: `${order_id}-1`, position: i, sealed: seal(keyring, [ACCOUNT, POOL, license_id], Buffer.from(KEY)).toString('base64') }
  })
  await sql`
    with base as (update pools set next_position = next_position + ${count}::int where account_id = ${ACCOUNT} and id = ${POOL} returning next_position - ${count}::int as first),
    new as (select r.*, base.first + r.position as at from base cross join
      jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (license_id text, order_id text, line_item_id text, position integer, sealed text)),
    l as (insert into licenses (account_id, id, pool_id, batch_id, line, mode, fingerprint, sealed)
      select ${ACCOUNT}, license_id, ${POOL}, 'BA-bench', at, 'live', sha256(convert_to(license_id, 'UTF8')), decode(sealed, 'base64') from new),
    o as (insert into orders (account_id, id, source_id, external_id, mode, currency, customer, fulfillment_status, paid_at)
      select ${ACCOUNT}, order_id, 'api-live', order_id, 'live', 'EUR', ${JSON.stringify(CUSTOMER)}::jsonb, 'fulfilled', now() from new),
    i as (insert into line_items (account_id, id, order_id, external_id, product_id, pool_id, quantity, unit_amount, fulfillment_status)
      select ${ACCOUNT}, line_item_id, order_id, '1', 'PRD-bench', ${POOL}, 1, 4900, 'fulfilled' from new),
    s as (insert into slots (account_id, line_item_id, unit) select ${ACCOUNT}, line_item_id, 1 from new),
    a as (insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
      select ${ACCOUNT}, ${POOL}, at, license_id, order_id, line_item_id, 1 from new)
    insert into deliveries (account_id, order_id, product_id, license_ids, "to", next_attempt_at)
    select ${ACCOUNT}, order_id, 'PRD-bench', array[license_id], ${CUSTOMER.email}, 'infinity' from new`.execute(db)
  await sql`analyze licenses, orders, line_items, allocations, deliveries`.execute(db)
}

const start = async (role: string, env: NodeJS.ProcessEnv): Promise<{ child: ChildProcess, said: unknown }> => {
  const child = fork(fileURLToPath(import.meta.url), [role, String(MAILS), String(ROUNDS), String(CONNECTIONS)], { execArgv: ['--import', 'tsx'], env: { ...process.env, ...env } })
  const [said] = await once(child, 'message') as [unknown]
  return { child, said }
}

/** Seconds until the server has so many mails. */
async function seconds (server: ChildProcess, count: number, go: () => Promise<unknown> | unknown): Promise<number> {
  server.send(count)
  const reached = once(server, 'message')
  const began = performance.now()
  await go()
  await reached
  return (performance.now() - began) / 1000
}

async function all (): Promise<void> {
  const at = await stage()
  const { child: server, said: port } = await start('sink', {})
  const env = { SMTP_URL: `smtp://127.0.0.1:${String(port)}`, MAIL_FROM: 'Bench <bench@acme.example>', DATABASE_URL: at.server.url(), LATCHKEY_KEYS: at.material, WORKER_CONCURRENCY: String(CONNECTIONS) }
  const [{ child: library }, { child: service }] = [await start('alone', env), await start('worker', env)]
  const byService = async (count: number): Promise<number> => {
    await plan(at, count)
    return seconds(server, count, () => sql`update deliveries set next_attempt_at = now() where status = 'planned'`.execute(at.db))
  }
  const rates: { service: number[], library: number[], ratio: number[] } = { service: [], library: [], ratio: [] }
  const others: number[] = []
  await byService(WARM_UP)
  await seconds(server, WARM_UP, () => library.send(WARM_UP))
  for (let round = 0; round < ROUNDS; round++) {
    others.push(await foreignShare(async () => {
      const [own, bare] = [MAILS / await byService(MAILS), MAILS / await seconds(server, MAILS, () => library.send(MAILS))]
      rates.service.push(own)
      rates.library.push(bare)
      rates.ratio.push(own / bare)
    }))
  }
  printHead(`deliver: ${MAILS} mails a round over ${CONNECTIONS} connections`)
  print('mails/s of the worker', rates.service)
  print('mails/s of nodemailer alone', rates.library)
  print('**ratio, per round**', rates.ratio, 2)
  print('share of the machine used by others', others, 2)
  console.log(`\n${CONNECTIONS} connections, ${MAILS} mails a round; ratio ${figures(rates.ratio).median.toFixed(2)}, target 0.7`)
  for (const child of [service, library, server]) child.kill()
  await at.close()
}

if (role === 'sink') sink()
else if (role === 'alone') alone()
else if (role === 'worker') worker()
else await all()
