import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import pg from 'pg'
import { readConfig } from '../../src/config.js'
import { connectDatabase, type Database } from '../../src/database/connect.js'

/** The database that scripts/test.ts migrates once, for tests to clone. */
export const TEMPLATE = 'template_latchkey'

interface Teardown { teardown (work: () => unknown): unknown }

function serverUrl (database: string): string {
  const url = process.env['TEST_POSTGRES_URL']
  if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set: run npm test -- <file>')
  return url.replace(/(@[^/]*\/)[^?]*/, `$1${database}`)
}

async function onServer (statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl('postgres') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A database with nothing in it, dropped when the test ends. */
export async function emptyDatabase (t: Teardown): Promise<{ url: string }> {
  return freshDatabase(t, 'template0')
}

/** A fresh, migrated database of the test's own, dropped when the test ends. `env`: settings other than the defaults. */
export async function testDatabase (t: Teardown, env: NodeJS.ProcessEnv = {}): Promise<{ db: Kysely<Database>, url: string }> {
  const { url } = await freshDatabase(t, TEMPLATE)
  const db = connectDatabase(url, readConfig(env))
  t.teardown(() => db.destroy())
  return { db, url }
}

async function freshDatabase (t: Teardown, template: string): Promise<{ url: string }> {
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`
  await onServer(`create database ${name} template ${template} strategy file_copy`)
  t.teardown(() => onServer(`drop database ${name} with (force)`))
  return { url: serverUrl(name) }
}
