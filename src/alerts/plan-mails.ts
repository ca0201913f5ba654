import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { newId } from '../ids.js'

/** Never more than one mail about a kind and topic in this time. */
const MAIL_EVERY_S = 3600

/** The accounts with alerts that nobody was told of yet. */
export async function findWaiting (db: Kysely<Database>): Promise<Array<{ account_id: string }>> {
  return db.selectFrom('alerts').select('account_id').distinct().where('mail_state', '=', 'waiting').execute()
}

/**
 * Gathers what waits, and whose hour is over, into one mail to each address of the account. What nobody wants by mail becomes silent; the rest goes
 * on waiting. Returns how many mails were planned; the caller calls wakeWorker() after the commit.
 */
export async function planAlertMails (trx: Transaction<Database>, { account_id }: { account_id: string }): Promise<number> {
  // of two workers the second sees what the first one planned
  const settings = await trx.selectFrom('alert_settings').select(['addresses', 'muted']).where('account_id', '=', account_id).forUpdate().executeTakeFirst()
  const { addresses, muted } = settings ?? { addresses: [], muted: [] }
  await sql`
    update alerts set mail_state = 'silent'
    where account_id = ${account_id} and mail_state = 'waiting' and (${addresses.length === 0} or kind = any(${muted}::text[]))`.execute(trx)
  const mailing_id = newId('AM')
  const { numAffectedRows: told } = await sql`
    update alerts a set mail_state = 'mailed', mailing_id = ${mailing_id}, mailed_at = now()
    where a.account_id = ${account_id} and a.mail_state = 'waiting' and not exists (
      select from alerts b where b.account_id = a.account_id and b.kind = a.kind and b.topic = a.topic and b.mail_state = 'mailed'
        and b.mailed_at > now() - ${sql.lit(MAIL_EVERY_S)} * interval '1 s')`.execute(trx)
  if (told === undefined || told === 0n) return 0
  await trx.insertInto('alert_mails').values(addresses.map((to) => ({ account_id, mailing_id, to }))).execute()
  return addresses.length
}
