import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries, type ClaimedDelivery } from '../../src/deliveries/claim.js'
import { finishDelivery } from '../support/deliveries.js'
import { runningErasures, workOnErasure } from '../../src/erasures/work.js'
import type { Keyring } from '../../src/sealing.js'
import type { Json } from '../support/sdk.js'
import type { Call } from '../support/vendor.js'

export interface Place { db: Kysely<Database>, keyring: Keyring }

/** Claims what is to be mailed, as a worker does. */
export async function claimMails ({ db }: Pick<Place, 'db'>): Promise<ClaimedDelivery[]> {
  return inTransaction(db, (trx) => claimDeliveries(trx, { limit: 100, lease_ms: 60_000, domain: 'example.com' }))
}

/** As if a mail server had taken all that is to be mailed. */
export async function mailAll ({ db }: Pick<Place, 'db'>): Promise<void> {
  for (const claimed of await claimMails({ db })) {
    await inTransaction(db, (trx) => finishDelivery(trx, claimed, { outcome: 'sent', response: `250 ${claimed.to} has it` }))
  }
}

/** Works on erasures, as a worker does, until nothing more can be done now. */
export async function workOff ({ db, keyring }: Place): Promise<void> {
  for (let worked = true; worked;) {
    worked = false
    for (const erasure of await runningErasures(db)) worked = await inTransaction(db, (trx) => workOnErasure(trx, keyring, erasure)) || worked
  }
}

/** Asks for an erasure, has it done, and returns it. */
export async function erase (place: Place, call: Call, asked: object): Promise<Json> {
  const answer = await call('POST', '/v1/erasures', asked)
  if (answer.statusCode !== 202) throw new Error(answer.body)
  await workOff(place)
  return (await call('GET', `/v1/erasures/${answer.json<Json>().id}`)).json<Json>()
}

/** The rows of all tables that hold a text, in capitals or not, also within bytes. */
export async function mentions ({ db }: Pick<Place, 'db'>, text: string): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'public' order by 1`.execute(db)
  const found: string[] = []
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`select r::text as row from ${sql.table(name)} r`.execute(db)
    const clear = rows.map(({ row }) => row.replace(/\\x((?:[0-9a-f]{2})+)/g, (_, hex: string) => Buffer.from(hex, 'hex').toString()))
    found.push(...clear.filter((row) => row.toLowerCase().includes(text.toLowerCase())).map((row) => `${name}: ${row}`))
  }
  return found
}
