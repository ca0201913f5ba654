import { sql, type Kysely, type Transaction } from 'kysely'
import { Problem } from '../problems.js'
import { open, seal, type Keyring } from '../sealing.js'
import type { Database } from './connect.js'
import { inTransaction } from './transaction.js'

/** What a POST did: the resource it made or moved, and the status it answers. `secret` is shown in the answer and kept sealed for a repeat. */
export interface Done { id: string, status: number, secret?: string }

/** An `Idempotency-Key` and what it stands for; the fingerprint is of the whole request. */
export interface IdempotencyKey { account_id: string, operation: string, key: string, fingerprint: Buffer }

/** The text whose hash is locked while a request with the key runs. */
export function idempotencyLock ({ account_id, operation, key }: IdempotencyKey): string {
  return ['idempotency', account_id, operation, key].join('\n')
}

/**
 * Runs `work` in a transaction, once per key: a repeat gets what was done the first time. Without a key it just runs.
 * The row of the key commits with the work; a refusal leaves none, so the repeat tries again. Kept 30 days.
 *
 * @throws Problem still-running  found by trying a lock, never by waiting
 * @throws Problem idempotency-key-reused  the same key with another request
 */
export async function once (
  db: Kysely<Database>, keyring: Keyring, idempotency: IdempotencyKey | undefined, work: (trx: Transaction<Database>) => Promise<Done>
): Promise<Done & { repeated: boolean }> {
  if (idempotency === undefined) return { ...await inTransaction(db, work), repeated: false }
  const { account_id, operation, key, fingerprint } = idempotency
  const context = ['idempotency', account_id, operation, key]
  return inTransaction(db, async (trx) => {
    const { rows: [lock] } = await sql<{ taken: boolean }>`select pg_try_advisory_xact_lock(hashtextextended(${idempotencyLock(idempotency)}, 0)) as taken`.execute(trx)
    if (lock?.taken !== true) throw new Problem('still-running', { headers: { 'retry-after': '1' } })
    const known = await trx.selectFrom('idempotency_keys').select(['fingerprint', 'status_code', 'resource_id', 'sealed'])
      .where('account_id', '=', account_id).where('operation', '=', operation).where('key', '=', key).executeTakeFirst()
    if (known !== undefined) {
      if (!known.fingerprint.equals(fingerprint)) throw new Problem('idempotency-key-reused', 'use a new key for a new request')
      const secret = known.sealed === null ? {} : { secret: open(keyring, context, known.sealed).toString() }
      return { id: known.resource_id, status: known.status_code, ...secret, repeated: true }
    }
    const done = await work(trx)
    await trx.insertInto('idempotency_keys').values({
      account_id,
      operation,
      key,
      fingerprint,
      status_code: done.status,
      resource_id: done.id,
      sealed: done.secret === undefined ? null : seal(keyring, context, Buffer.from(done.secret)),
    }).execute()
    return { ...done, repeated: false }
  })
}
