import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { seal, type Keyring } from '../sealing.js'
import type { SourceOptions } from './checkout.js'
import type { CheckoutKind } from './checkouts.js'
import { secretContext, type Source } from './find-source.js'
import { checkSettings, optionsAfter, type Settings } from './settings.js'

type SourceId = Pick<Source, 'account_id' | 'id'>

/** Null: there is none any more. Undefined: it stays. */
export function sealApiKey (keyring: Keyring, { account_id, id }: SourceId, api_key: string | null | undefined): Buffer | null | undefined {
  return api_key == null ? api_key : seal(keyring, secretContext(account_id, id, 'api_key'), Buffer.from(api_key))
}

interface Change {
  name?: string | undefined
  settings: Settings
  actor: string
  /** networks that may be called though they are not public */
  callable: readonly string[]
}

/**
 * Changes what is given of a source; null takes a setting back. Effective on other processes within a second.
 *
 * @throws Problem payment-source-not-found
 * @throws Problem validation-failed
 */
export async function changeSource (
  trx: Transaction<Database>, keyring: Keyring, source: SourceId, { name, settings, actor, callable }: Change
): Promise<void> {
  const { account_id, id } = source
  const found = await trx.selectFrom('payment_sources').select(['kind', 'options']).where('account_id', '=', account_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forNoKeyUpdate().$narrowType<{ kind: CheckoutKind }>().executeTakeFirst()
  if (found === undefined) throw new Problem('payment-source-not-found')
  checkSettings(found.kind, settings, callable)
  const sealed_api_key = sealApiKey(keyring, source, settings.api_key)
  await trx.updateTable('payment_sources').set({
    ...(name === undefined ? {} : { name }),
    ...(sealed_api_key === undefined ? {} : { sealed_api_key }),
    options: JSON.stringify(optionsAfter(found.options as SourceOptions, settings)),
    updated_at: sql<Date>`now()`,
  }).where('account_id', '=', account_id).where('id', '=', id).execute()
  const fields = Object.entries({ name, ...settings }).filter(([, value]) => value !== undefined).map(([field]) => field)
  await recordEvent(trx, { account_id, type: 'payment_source.changed', subject_id: id, actor, data: { fields } })
}

/**
 * Webhooks to it are refused from now on, on other processes within a second. Its orders and events stay.
 *
 * @throws Problem payment-source-not-found
 */
export async function deleteSource (trx: Transaction<Database>, { account_id, id }: SourceId, actor: string): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('payment_sources').set({ deleted_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('payment-source-not-found')
  await recordEvent(trx, { account_id, type: 'payment_source.deleted', subject_id: id, actor })
}
