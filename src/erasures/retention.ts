import { sql, type Kysely, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import type { Keyring } from '../sealing.js'
import type { RetentionSettings } from './schema.js'
import { subjectFingerprint } from './subject.js'

type Settings = Static<typeof RetentionSettings>

/** How long an account keeps what it knows of customers; what nobody set is kept. */
export async function readRetention (db: Reader, account_id: string): Promise<Settings> {
  const settings = await db.selectFrom('retention_settings').select(['customer_days', 'payment_event_days']).where('account_id', '=', account_id).executeTakeFirst()
  return settings ?? { customer_days: null, payment_event_days: null }
}

/** Replaces the settings. They take effect with the next round, within a day. */
export async function writeRetention (trx: Transaction<Database>, account_id: string, settings: Settings, actor: string): Promise<void> {
  await trx.insertInto('retention_settings').values({ account_id, ...settings })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...settings, updated_at: sql<Date>`now()` })).execute()
  await recordEvent(trx, { account_id, type: 'retention_settings.written', subject_id: account_id, actor, data: { ...settings } })
}

/** The accounts whose last round began a day ago or more, and is over. */
export async function dueForRetention (db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ account_id: string }>`
    select s.account_id from retention_settings s
    where (s.customer_days is not null or s.payment_event_days is not null) and not exists (
      select from erasures e where e.account_id = s.account_id and e.kind = 'retention' and (e.status = 'running' or e.created_at > now() - interval '1 day'))
    order by s.account_id limit 100`.execute(db)
  return rows.map((row) => row.account_id)
}

/** Begins a round of retention, unless another worker has. */
export async function startRetention (trx: Transaction<Database>, keyring: Keyring, account_id: string): Promise<void> {
  await sql`
    insert into erasures (account_id, id, kind, phase, fingerprint, orders_before, payment_events_before)
    select account_id, ${newId('ER')}, 'retention', 'orders', ${subjectFingerprint(keyring, account_id, 'retention')},
      now() - customer_days * interval '1 day', now() - payment_event_days * interval '1 day'
    from retention_settings where account_id = ${account_id}
    on conflict (account_id, fingerprint) where status = 'running' do nothing`.execute(trx)
}
