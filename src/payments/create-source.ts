import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import type { Keyring } from '../sealing.js'
import { sealApiKey } from './change-source.js'
import type { Source } from './find-source.js'
import { insertSecret, secretFor } from './secrets.js'
import { optionsAfter, type Settings } from './settings.js'

export interface NewSource extends Pick<Source, 'account_id' | 'kind' | 'mode'> { name: string, secret?: string | undefined, settings: Settings }

/**
 * Makes a payment source with one signing secret: the one given, or a new one. The secret is returned here and never again. Its settings
 * are checked (`checkSettings`).
 *
 * @throws Problem validation-failed
 */
export async function createSource (trx: Transaction<Database>, keyring: Keyring, source: NewSource, actor: string): Promise<{ id: string, secret: string }> {
  const { account_id, kind, name, mode, settings } = source
  const secret = secretFor(kind, source.secret)
  const id = newId('PS')
  const sealed_api_key = sealApiKey(keyring, { account_id, id }, settings.api_key) ?? null
  await trx.insertInto('payment_sources').values({ account_id, id, kind, name, mode, options: JSON.stringify(optionsAfter({}, settings)), sealed_api_key }).execute()
  await insertSecret(trx, keyring, { account_id, id }, secret)
  await recordEvent(trx, { account_id, type: 'payment_source.created', subject_id: id, actor, data: { kind, mode } })
  return { id, secret }
}
