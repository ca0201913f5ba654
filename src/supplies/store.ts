import { createHash } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { fingerprint, seal, type Keyring } from '../sealing.js'
import type { Free } from './give.js'

interface Supplied { account_id: string, pool_id: string, mode: string, source: 'web service' | 'emulator', supply_order_id: string, keys: readonly Buffer[] }

/**
 * Loads keys that a supply answered into the pool, as a batch of their own, so that its counts hold; undefined, and nothing is loaded, if the account has
 * had one of them before. Each gets a position but no place in stock: that is for the caller, which holds the pool by lockPools.
 */
export async function storeKeys (
  trx: Transaction<Database>, keyring: Keyring, { account_id, pool_id, mode, source, supply_order_id, keys }: Supplied
): Promise<{ batch_id: string, licenses: Free[] } | undefined> {
  const rows = keys.map((key, i) => {
    const id = newId('LI')
    return { id, line: i + 1, fingerprint: fingerprint(keyring, account_id, mode, key), sealed: seal(keyring, [account_id, pool_id, id], key) }
  })
  const known = await trx.selectFrom('licenses').select('id').where('account_id', '=', account_id).where('mode', '=', mode)
    .where('fingerprint', '=', sql<Buffer>`any(${rows.map((row) => row.fingerprint)}::bytea[])`).limit(1).executeTakeFirst()
  if (known !== undefined) return undefined
  const batch_id = newId('BA')
  // of the fingerprints, which are keyed: from a checksum of its own a lone key could be guessed
  const sha256 = createHash('sha256').update(Buffer.concat(rows.map((row) => row.fingerprint))).digest()
  await trx.insertInto('batches').values({
    account_id, id: batch_id, pool_id, source, status: 'loaded', sha256, loaded: rows.length, created_by: supply_order_id, loaded_at: sql<Date>`now()`,
  }).execute()
  await trx.insertInto('licenses').values(rows.map((row) => ({ account_id, pool_id, batch_id, mode, ...row }))).execute()
  const { next_position } = await trx.updateTable('pools').set({ next_position: sql`next_position + ${rows.length}::int` })
    .where('account_id', '=', account_id).where('id', '=', pool_id).returning('next_position').executeTakeFirstOrThrow()
  const base = BigInt(next_position) - BigInt(rows.length)
  const data = { pool_id, loaded: rows.length, duplicates: 0, rejected_count: 0, supply_order_id }
  await recordEvent(trx, { account_id, type: 'batch.loaded', subject_id: batch_id, data })
  return { batch_id, licenses: rows.map(({ id }, i) => ({ license_id: id, pool_id, position: String(base + BigInt(i)) })) }
}
