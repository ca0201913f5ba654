import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'

const CHUNK = 1000

/**
 * Removes the mails of erased customers from the directory where mails are kept as files, if there is one. It looks at what is there, so it can be broken off
 * at any point; no mail is written for an order once it is erased.
 */
export async function removeKeptMails (db: Kysely<Database>, dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => [])
  for (let from = 0; from < names.length; from += CHUNK) {
    const chunk = names.slice(from, from + CHUNK)
    const erased = await db.selectFrom('deliveries').select('id').where('to', '=', '')
      .where('id', 'in', chunk.map((name) => name.replace(/\..*$/, ''))).execute()
    const ids = new Set(erased.map((delivery) => delivery.id))
    for (const name of chunk) if (ids.has(name.replace(/\..*$/, ''))) await rm(path.join(dir, name), { force: true })
  }
}
