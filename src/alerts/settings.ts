import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { plainAddress } from '../mailer/address.js'
import { Problem } from '../problems.js'
import type { Kind } from './kinds.js'
import { EXPIRING_DAYS_DEFAULT, type NewAlertSettings } from './schema.js'

export interface AlertSettings { addresses: string[], muted: Kind[], expiring_days: number }

/** What an account set, or the defaults. */
export async function findAlertSettings (db: Reader, account_id: string): Promise<AlertSettings> {
  const set = await db.selectFrom('alert_settings').select(['addresses', 'expiring_days']).select((row) => row.ref('muted').$castTo<Kind[]>().as('muted'))
    .where('account_id', '=', account_id).executeTakeFirst()
  return set ?? { addresses: [], muted: [], expiring_days: EXPIRING_DAYS_DEFAULT }
}

/**
 * Sets all of it anew; what is left out is the default again. What is waiting for its hour goes to the new addresses.
 *
 * @throws Problem validation-failed  an address that is not exactly one
 */
export async function setAlertSettings (trx: Transaction<Database>, account_id: string, body: Static<typeof NewAlertSettings>, actor: string): Promise<void> {
  const { addresses = [], muted = [], expiring_days = EXPIRING_DAYS_DEFAULT } = body
  const errors = addresses.flatMap((address, i) => plainAddress(address) === undefined
    ? [`addresses.${i}: is not one mail address, written as local@domain`]
    : [])
  if (errors.length > 0) throw new Problem('validation-failed', { detail: errors.join('; '), errors })
  const settings = { addresses, muted, expiring_days }
  await trx.insertInto('alert_settings').values({ account_id, ...settings })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...settings, updated_at: sql<Date>`now()` })).execute()
  await recordEvent(trx, { account_id, type: 'alert_settings.updated', subject_id: account_id, actor, data: { addresses: addresses.length, muted, expiring_days } })
}
