import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { open, type Keyring } from '../sealing.js'
import { openKeys } from './open-keys.js'

interface Reveal { account_id: string, license_id: string, actor: string }

/**
 * Opens a license for somebody to read, which is recorded before it is answered: from then on it has been seen, and a
 * refund revokes it. Locks its open allocation first, as whatever ends one does, so that the two cannot miss each other.
 *
 * @throws Problem license-not-found
 */
export async function revealLicense (
  trx: Transaction<Database>, keyring: Keyring, reveal: Reveal
): Promise<{ id: string, key: string, expires_at: Date | null }> {
  const { account_id, license_id, actor } = reveal
  const allocation = await trx.selectFrom('allocations').select('order_id')
    .where('account_id', '=', account_id).where('license_id', '=', license_id).where('ended_as', 'is', null)
    .forUpdate().executeTakeFirst()
  const license = await trx.selectFrom('licenses').select(['pool_id', 'sealed', 'expires_at'])
    .where('account_id', '=', account_id).where('id', '=', license_id).executeTakeFirst()
  if (license === undefined) throw new Problem('license-not-found')
  const key = open(keyring, [account_id, license.pool_id, license_id], license.sealed)
  await trx.insertInto('license_sightings').values({ account_id, license_id, how: 'revealed', seen_by: actor, seen_at: sql<Date>`clock_timestamp()` }).execute()
  const data = allocation === undefined ? {} : { order_id: allocation.order_id }
  await recordEvent(trx, { account_id, type: 'license.revealed', subject_id: license_id, actor, data })
  return { id: license_id, key: key.toString(), expires_at: license.expires_at }
}

/**
 * Opens licenses of an order for somebody to read, each recorded as {@link revealLicense} does, and returns their keys by their ids. The caller has found and
 * locked their open allocations, in the order of their ids.
 */
export async function revealLicenses (
  trx: Transaction<Database>, keyring: Keyring, { account_id, order_id, license_ids, actor }: Omit<Reveal, 'license_id'> & { order_id: string, license_ids: readonly string[] }
): Promise<Map<string, string>> {
  await sql`
    with revealed as (
      insert into license_sightings (account_id, license_id, how, seen_by, seen_at)
      select ${account_id}, l.id, 'revealed', ${actor}, clock_timestamp() from unnest(${license_ids}::text[]) as l (id) returning license_id
    )
    insert into events (account_id, type, subject_id, actor, data)
    select ${account_id}, 'license.revealed', license_id, ${actor}, jsonb_build_object('order_id', ${order_id}::text) from revealed`.execute(trx)
  return openKeys(trx, keyring, account_id, license_ids)
}
