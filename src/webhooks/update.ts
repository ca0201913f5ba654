import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { faultsOf, refuse } from './check.js'
import type { Settings } from './create.js'
import { MASK, type ChangedWebhook, type WebhookType } from './schema.js'
import { openHeaders, sealSecret, type WebhookId } from './secrets.js'

type Change = Static<typeof ChangedWebhook>

/** The headers as they are to be kept; a masked value stays what it is. */
function headersAfter (keyring: Keyring, webhook: WebhookId, sealed: Buffer | null, given: Readonly<Record<string, string>>): Record<string, string> {
  const kept = openHeaders(keyring, webhook, sealed)
  const entries = Object.entries(given).map(([name, value]) => [name, value === MASK ? kept[name] : value] as const)
  refuse(entries.filter(([, value]) => value === undefined).map(([name]) => `headers.${name}: has no value to keep`))
  return Object.fromEntries(entries) as Record<string, string>
}

/** The columns that change with what is given. */
function columnsOf (keyring: Keyring, webhook: WebhookId & { type: WebhookType, sealed_headers: Buffer | null }, change: Change): Record<string, unknown> {
  const { label, external_url, active, http_method, description, event_types, data, headers, jwt_secret } = change
  const given = Object.entries({ label, external_url, active, http_method }).filter(([, value]) => value !== undefined)
  const columns: Record<string, unknown> = Object.fromEntries(given)
  if (description !== undefined) columns['description'] = description ?? ''
  if (event_types !== undefined) columns['event_types'] = event_types ?? []
  if (data !== undefined) columns['data'] = JSON.stringify(data ?? {})
  if (headers !== undefined) {
    const after = headersAfter(keyring, webhook, webhook.sealed_headers, headers ?? {})
    const names = Object.keys(after)
    columns['header_names'] = names
    columns['sealed_headers'] = names.length === 0 ? null : sealSecret(keyring, webhook, 'headers', JSON.stringify(after))
  }
  const keepsSecret = webhook.type === 'change' || (jwt_secret ?? '') === '' || jwt_secret === MASK
  if (!keepsSecret) columns['sealed_jwt_secret'] = sealSecret(keyring, webhook, 'jwt_secret', jwt_secret as string)
  // a fresh start: it is neither failing nor disabled by the service any more
  if (active === true || external_url !== undefined) columns['failing_since'] = null
  if (active !== undefined) columns['disabled_reason'] = null
  return columns
}

/**
 * Changes a webhook. A jwt_secret or header value that is absent, empty or masked stays.
 *
 * @throws Problem webhook-not-found
 * @throws Problem validation-failed
 */
export async function updateWebhook (
  trx: Transaction<Database>, { keyring, allowed_networks }: Settings, webhook: WebhookId & { actor: string }, change: Change
): Promise<void> {
  const { account_id, id, actor } = webhook
  const found = await trx.selectFrom('webhooks').select(['type', 'object_class', 'sealed_headers']).where('account_id', '=', account_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forNoKeyUpdate().$narrowType<{ type: WebhookType }>().executeTakeFirst()
  if (found === undefined) throw new Problem('webhook-not-found')
  refuse(faultsOf({ ...change, type: found.type, object_class: found.object_class }, allowed_networks))
  const columns = columnsOf(keyring, { account_id, id, ...found }, change)
  await trx.updateTable('webhooks').set({ ...columns, modified_at: sql<Date>`now()`, modified_by: actor })
    .where('account_id', '=', account_id).where('id', '=', id).execute()
  const fields = Object.keys(columns).filter((name) => name in change || name.startsWith('sealed_')).map((name) => name.replace('sealed_', ''))
  await recordEvent(trx, { account_id, type: 'webhook.updated', subject_id: id, actor, data: { fields } })
}
