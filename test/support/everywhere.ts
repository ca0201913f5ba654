// For tests that look for a text wherever it may be: a whole service on a durable PostgreSQL that logs each statement, and the search.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import copyStreams from 'pg-copy-streams'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { startEmbeddedPostgres } from '../../src/database/embedded.js'
import { migrateToLatest } from '../../src/database/migrate.js'
import { buildLogger } from '../../src/log.js'
import { openIntake } from '../../src/orders/intake.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { startWorker } from '../../src/worker.js'
import { mailServer } from './smtp.js'
import { listen } from './socket.js'

/** The text in every form in which it may turn up; of base64 what does not depend on its neighbours, at the three offsets. */
function formsOf (text: string): Map<string, Buffer> {
  const utf8 = Buffer.from(text)
  const forms = new Map<string, Buffer>([['utf8', utf8], ['latin1', Buffer.from(text, 'latin1')], ['reversed', Buffer.from([...text].reverse().join(''))], ['utf16le', Buffer.from(text, 'utf16le')]])
  forms.set('utf16be', Buffer.from(forms.get('utf16le') as Buffer).swap16())
  for (const [name, form] of [['hex', utf8.toString('hex')], ['HEX', utf8.toString('hex').toUpperCase()], ['url', encodeURIComponent(text)], ['json', JSON.stringify(text).slice(1, -1).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)],
    ['quoted-printable', text.replace(/[^ -~]/g, (c) => [...Buffer.from(c)].map((byte) => `=${byte.toString(16).toUpperCase()}`).join(''))],
    ['bytea escape', text.replace(/[^ -~]/g, (c) => [...Buffer.from(c)].map((byte) => `\\${byte.toString(8)}`).join(''))]] as const) forms.set(name, Buffer.from(form))
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), utf8])
    const inner = whole.subarray(offset === 0 ? 0 : 3, whole.length - whole.length % 3).toString('base64')
    forms.set(`base64 at ${offset}`, Buffer.from(inner))
    forms.set(`base64url at ${offset}`, Buffer.from(inner.replaceAll('+', '-').replaceAll('/', '_')))
  }
  return forms
}

/** In which forms the text is in the bytes. */
export const hits = (bytes: Buffer, text: string): string[] => [...formsOf(text)].filter(([, form]) => bytes.includes(form)).map(([name]) => name)

/** The files below a directory, with their bytes. */
export function filesOf (directory: string): Map<string, Buffer> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(files.map((entry) => [path.join(entry.parentPath, entry.name), readFileSync(path.join(entry.parentPath, entry.name))]))
}

/** A service with its own durable database: everything that it writes is collected. */
export async function durableService (t: Test) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'latchkey-secrets-'))
  chmodSync(dir, 0o711) // the server may run as another user
  const dataDir = path.join(dir, 'data', 'database')
  const server = await startEmbeddedPostgres({ dataDir, database: 'latchkey' })
  t.teardown(async () => { await server.stop(); rmSync(dir, { recursive: true, force: true }) })
  const admin = new pg.Client({ connectionString: server.url() })
  await admin.connect()
  for (const setting of ["log_statement = 'all'", 'log_parameter_max_length = -1', 'log_parameter_max_length_on_error = -1', "log_min_error_statement = 'error'", "log_min_messages = 'info'", 'log_duration = on']) {
    await admin.query(`alter role postgres set ${setting}`)
  }
  await admin.end()
  const mail = await mailServer(t)
  const config = readConfig({ LOG_LEVEL: 'trace', SMTP_URL: mail.url, WORKER_POLL_MS: '20' })
  const db = connectDatabase(server.url(), config)
  await migrateToLatest(db)
  const keyring = readKeyring(newKeyMaterial())
  const log: string[] = []
  const logger = buildLogger(config, { write: (text: string) => { log.push(text) } })
  const intake = openIntake(server.url(), config, db, keyring)
  const app = await buildApp({ config, db, keyring, intake, logger })
  const port = await listen(app)
  const worker = startWorker({ db, config, keyring, log: logger })
  t.teardown(async () => { await app.close(); await worker.stop(); await intake.close(); await db.destroy() })
  return { server, dataDir, db, app, port, mail, log }
}
export type DurableService = Awaited<ReturnType<typeof durableService>>

/** Every table as COPY writes it: what a logical dump holds. */
export async function copyOf (url: string): Promise<Buffer> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>("select quote_ident(tablename) as name from pg_tables where schemaname = 'public' order by 1")
    const chunks: Buffer[] = []
    for (const { name } of rows) for await (const chunk of client.query(copyStreams.to(`copy ${name} to stdout`))) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } finally {
    await client.end()
  }
}
