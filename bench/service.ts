// The service under measurement, alone in its process, and the bare client that drives it. Run by itself this file is that process.
import { spawn, type ChildProcess } from 'node:child_process'
import { createHmac } from 'node:crypto'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { buildApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { openIntake } from '../src/orders/intake.js'
import { readKeyring } from '../src/sealing.js'
import { SKU, type Stage } from './support.js'

const ANSWER_BYTES_MAX = 1024 * 1024
const READ_BYTES_MAX = 64 * 1024

/** Starts the service on the stage's database; resolves when it listens. */
export async function startService ({ server, material }: Stage): Promise<{ child: ChildProcess, port: number }> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), 'serve'], {
    env: { ...process.env, DATABASE_URL: server.url(), LATCHKEY_KEYS: material }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => { resolve(Number(line.toString())) })
    child.once('exit', () => { reject(new Error('the service did not start')) })
  })
  child.stdout?.pipe(process.stderr) // what it warns of
  return { child, port }
}

/**
 * One connection that sends the next request when the last was answered whole; rejects with what `answered` throws. The client is bare, as it
 * shares the processors.
 */
export function drive (port: number, next: () => Buffer | undefined, answered: (status: string, body: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer = Buffer.alloc(ANSWER_BYTES_MAX) // nothing is made anew for an answer: the client's garbage would count as the service's time
    let [filled, wanted] = [0, 0]
    const take = (count: number, bytes: Uint8Array): boolean => {
      answer.set(bytes.subarray(0, count), filled)
      filled += count
      const head = answer.subarray(0, filled).indexOf('\r\n\r\n')
      if (head < 0) return true
      if (wanted === 0) wanted = head + 4 + Number(/content-length: (\d+)/i.exec(answer.toString('latin1', 0, head))?.[1])
      if (filled < wanted) return true
      const [status, body] = [answer.toString('latin1', 9, 12), answer.subarray(head + 4, filled)]
      ;[filled, wanted] = [0, 0]
      try {
        answered(status, body)
        send()
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        socket.destroy()
      }
      return true
    }
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: Buffer.alloc(READ_BYTES_MAX), callback: take } })
    const send = (): void => {
      const request = next()
      if (request === undefined) socket.end()
      else socket.write(request)
    }
    socket.on('connect', send)
    socket.on('close', () => { resolve() })
    socket.on('error', reject)
  })
}

/** The bytes of a POST of JSON. `headers`: whole lines, each with its end. */
export const post = (path: string, headers: string, body: string): Buffer =>
  Buffer.from(`POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`)

let numbered = 0

/** The bytes of one signed webhook: a new order of one license. */
export function signedOrder (source_id: string, secret: Buffer): Buffer {
  const id = `evt_${process.pid}_${++numbered}`
  const now = new Date()
  const timestamp = Math.floor(now.getTime() / 1000)
  const body = JSON.stringify({
    type: 'order.paid',
    timestamp: now.toISOString(),
    data: {
      external_id: id,
      currency: 'EUR',
      locale: 'de_DE',
      customer: { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' },
      line_items: [{ external_id: '1', product: SKU, quantity: 1, unit_amount: 4900 }],
    },
  })
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  return post(`/v1/payments/${source_id}`, `webhook-id: ${id}\r\nwebhook-timestamp: ${timestamp}\r\nwebhook-signature: v1,${signature}\r\n`, body)
}

async function serve (): Promise<void> {
  const config = readConfig({ ...process.env, LOG_LEVEL: 'warn' })
  const keyring = readKeyring(config.latchkey_keys as string)
  const db = connectDatabase(config.database_url as string, config)
  const app = await buildApp({ config, db, keyring, intake: openIntake(config.database_url as string, config, db, keyring) })
  await app.listen({ port: 0 })
  console.log(String((app.server.address() as net.AddressInfo).port))
}

if (process.argv[2] === 'serve' && process.argv[1] === fileURLToPath(import.meta.url)) await serve()
