// Plays the main job as a shop would see it, on a data directory of its own: loads licenses, sends a signed payment
// webhook, waits for the mail, and prints what happened. The service then goes on until Ctrl-C; with --exit it ends too.
import { spawn, type ChildProcess } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const START_MS_MAX = 60_000 // the first start makes a PostgreSQL cluster
const MAIL_MS_MAX = 20_000

type Json = Record<string, unknown>
interface Service { url: string, data_dir: string, api_key: string }

const step = (text: string): void => { console.log(`\n\u25b8 ${text}`) }
const indent = (text: string): string => text.replace(/^/gm, '    ')

/** Finds the package's root: the script runs from the sources and from dist/. */
function root (): string {
  let dir = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(dir, 'package.json'))) dir = path.dirname(dir)
  return dir
}

/** Starts the service the way this script was started itself. Its log goes into a file beside the data. */
function startService (data_dir: string): { child: ChildProcess, output: () => string } {
  const own = fileURLToPath(import.meta.url)
  const main = path.resolve(path.dirname(own), '..', 'src', `main${path.extname(own)}`)
  const child = spawn(process.execPath, [...process.execArgv, main, 'serve'], {
    // what the demo shows must not depend on what is set for a real service
    env: { ...process.env, DATA_DIR: data_dir, PORT: process.env['PORT'] ?? '0', DATABASE_URL: '', SMTP_URL: '', LATCHKEY_KEYS: '', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // out of the terminal's reach: Ctrl-C comes from here, once
  })
  let output = ''
  child.stdout.on('data', (data: Buffer) => { output += data.toString() })
  return { child, output: () => output }
}

/** Waits until `look` finds something, and fails with a sentence if it does not in time. */
async function until<T> (what: string, ms_max: number, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + ms_max; Date.now() < deadline; await sleep(50)) {
    const found = await look()
    if (found !== undefined) return found
  }
  throw new Error(`${what} within ${ms_max / 1000} seconds`)
}

async function call ({ url, api_key }: Service, method: string, target: string, body?: string | Json, headers: Record<string, string> = {}): Promise<Json> {
  const response = await fetch(url + target, {
    method,
    headers: {
      authorization: `ApiKey ${api_key}`,
      ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${target} was answered ${response.status}: ${text}`)
  console.log(indent(`${method} ${target} \u2192 ${response.status}`))
  return text === '' ? {} : JSON.parse(text) as Json
}

/** Posts a payment as a checkout does, signed by the Standard Webhooks scheme. */
async function pay (service: Service, source: Json, order: Json): Promise<void> {
  const body = JSON.stringify({ type: 'order.paid', timestamp: new Date().toISOString(), data: order })
  const id = `msg_${randomUUID()}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const secret = Buffer.from(String(source['secret']).replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
  for (const what of ['the payment', 'the same webhook once more, as checkouts do: nothing happens twice']) {
    const response = await fetch(`${service.url}/v1/payments/${String(source['id'])}`, { method: 'POST', headers, body })
    if (!response.ok) throw new Error(`the webhook was answered ${response.status}: ${await response.text()}`)
    console.log(indent(`POST /v1/payments/${String(source['id'])} \u2192 ${response.status}  ${what}`))
  }
}

/** The text part of the mail, as a mail reader shows it. */
function readMail (file: string): string {
  const [head = '', ...parts] = readFileSync(file, 'utf8').replaceAll('\r\n', '\n').split('\n\n')
  const shown = head.split(/\n(?![ \t])/).filter((line) => /^(from|to|subject):/i.test(line)).join('\n')
  const whole = [head, ...parts].join('\n\n')
  const part = /content-type: text\/plain.*?\n\n(.*?)(?=\n--|$)/is.exec(whole)?.[1] ?? ''
  const quoted = /content-transfer-encoding: quoted-printable/i.test(whole)
  return `${shown}\n\n${(quoted ? decodeQuotedPrintable(part) : part).trim()}`
}

function decodeQuotedPrintable (text: string): string {
  const bytes = text.replaceAll('=\n', '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

async function play (service: Service): Promise<void> {
  step('The vendor describes a product and opens a pool of licenses for it')
  const product = await call(service, 'POST', '/v1/products', {
    name: 'Demo Pro',
    external_ids: ['demo-pro'],
    mail_template: { subject: 'Your license for {PROGRAM_NAME}', text: 'Thank you for your purchase. Here is what you paid for:\n\n{KEY}' },
  })
  const pool = await call(service, 'POST', '/v1/pools', { name: 'Demo Pro, all currencies', product_ids: [product['id']], mode: 'live' })

  step('The vendor loads licenses, one per line, from examples/licenses.txt')
  const file = readFileSync(path.join(root(), 'examples', 'licenses.txt'), 'utf8')
  const { loaded, duplicates } = await call(service, 'POST', `/v1/pools/${String(pool['id'])}/licenses`, file)
  console.log(indent(`${String(loaded)} loaded, ${String(duplicates)} duplicates`))

  step('The shop is made known, and gets a secret to sign its webhooks with')
  const source = await call(service, 'POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'demo shop', mode: 'live' })

  step('Ada buys two; the shop posts the payment')
  await pay(service, source, {
    external_id: 'A-1001',
    currency: 'EUR',
    customer: { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' },
    line_items: [{ external_id: '1', product: 'demo-pro', quantity: 2, unit_amount: 4900 }],
  })

  step('The worker mails her the keys')
  const mails = path.join(service.data_dir, 'mail')
  const mail = await until('no mail was written', MAIL_MS_MAX, () => existsSync(mails) ? readdirSync(mails).find((name) => name.endsWith('.eml')) : undefined)
  console.log(`\n${indent(readMail(path.join(mails, mail)))}`)

  step('What the vendor sees: the order, its licenses masked; the pool with two fewer')
  const orders = await call(service, 'GET', '/v1/orders') as unknown as Json[]
  const order = await until('the mail was not recorded as sent', MAIL_MS_MAX, async () => {
    const [delivery] = await call(service, 'GET', '/v1/deliveries') as unknown as Json[]
    return delivery?.['status'] === 'sent' ? call(service, 'GET', `/v1/orders/${String(orders[0]?.['id'])}`) : undefined
  })
  console.log(`\n${indent(JSON.stringify(order, null, 2))}\n`)
  if (orders.length !== 1 || order['fulfillment_status'] !== 'fulfilled') throw new Error('the shop\'s one payment did not become one fulfilled order')
  const { stock } = await call(service, 'GET', `/v1/pools/${String(pool['id'])}`)
  console.log(indent(JSON.stringify(stock)))

  step('To go on')
  const authorization = '-H "Authorization: ApiKey $KEY"'
  console.log(indent([
    `KEY=${service.api_key}`,
    `curl ${authorization} ${service.url}/v1/orders`,
    `curl ${authorization} ${service.url}/v1/pools/${String(pool['id'])}`,
    `curl ${authorization} ${service.url}/v1/events`,
    `curl ${authorization} -X POST ${service.url}/v1/orders/${String(order['id'])}/resend`,
    `API reference: ${service.url}/docs    data and mails: ${service.data_dir}`,
  ].join('\n')))
}

async function main (exit: boolean): Promise<number> {
  const data_dir = path.resolve(process.env['DATA_DIR'] || path.join('data', `demo-${Date.now().toString(36)}`))
  if (existsSync(data_dir)) {
    console.error(`${data_dir} exists: the demo begins with a fresh data directory; unset DATA_DIR or name another`)
    return 1
  }
  step(`The service starts, with a PostgreSQL of its own, in ${data_dir}`)
  const { child, output } = startService(data_dir)
  const ended = new Promise<number>((resolve) => { child.once('exit', (code) => { resolve(code ?? 1) }) })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { child.kill('SIGTERM') })
  try {
    const url = await until('the service did not start', START_MS_MAX, () => {
      if (child.exitCode !== null) throw new Error(`the service ended with code ${child.exitCode}`)
      return /listens on (\S+)/.exec(output())?.[1]
    })
    console.log(indent(url))
    const credentials = JSON.parse(readFileSync(path.join(data_dir, 'credentials.json'), 'utf8')) as { vendor: { api_key: string } }
    await play({ url, data_dir, api_key: credentials.vendor.api_key })
  } catch (error) {
    console.error(`\nThe demo failed: ${(error as Error).message}`)
    child.kill('SIGTERM')
    await ended
    return 1
  }
  if (exit) child.kill('SIGTERM')
  else console.log('\nThe service goes on running; Ctrl-C stops it.')
  return ended
}

process.exitCode = await main(process.argv.includes('--exit'))
