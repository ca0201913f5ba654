import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { open, seal, type Keyring } from '../sealing.js'

export interface WebhookId { account_id: string, id: string }

const contextOf = ({ account_id, id }: WebhookId, what: string): string[] => ['webhook', account_id, id, what]

/** Seals a webhook's own secret: its `jwt_secret`, its `headers` as JSON, or a signing secret under that secret's id. */
export function sealSecret (keyring: Keyring, webhook: WebhookId, what: string, clear: string): Buffer {
  return seal(keyring, contextOf(webhook, what), Buffer.from(clear))
}

/** Opens what {@link sealSecret} made. */
export function openSecret (keyring: Keyring, webhook: WebhookId, what: string, sealed: Buffer): string {
  return open(keyring, contextOf(webhook, what), sealed).toString()
}

/** The headers that a webhook sends along, with their values. */
export function openHeaders (keyring: Keyring, webhook: WebhookId, sealed: Buffer | null): Record<string, string> {
  return sealed === null ? {} : JSON.parse(openSecret(keyring, webhook, 'headers', sealed)) as Record<string, string>
}

/** The secrets that sign the messages of a webhook now, the newest first. */
export async function signingSecretsOf (db: Reader, keyring: Keyring, webhook: WebhookId): Promise<string[]> {
  const rows = await db.selectFrom('webhook_secrets').select(['id', 'sealed']).where('account_id', '=', webhook.account_id).where('webhook_id', '=', webhook.id)
    .where(({ or, eb }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<Date>`now()`)]))
    .orderBy(sql`expires_at desc nulls first`).orderBy('id', 'desc').execute()
  return rows.map(({ id, sealed }) => openSecret(keyring, webhook, id, sealed))
}
