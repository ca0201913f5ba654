import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { sealSecret, type WebhookId } from './secrets.js'
import { newSigningSecret } from './sign.js'

/** Makes a signing secret. Returned here and never again. */
export async function addSigningSecret (trx: Transaction<Database>, keyring: Keyring, { account_id, id: webhook_id }: WebhookId): Promise<string> {
  const [id, secret] = [newId('WS'), newSigningSecret()]
  const sealed = sealSecret(keyring, { account_id, id: webhook_id }, id, secret)
  await trx.insertInto('webhook_secrets').values({ account_id, webhook_id, id, sealed }).execute()
  return secret
}

/**
 * Gives a webhook of type change a new signing secret, which is returned here and never again. The one before signs beside it for
 * `overlap_ms`; one that was still valid before that is forgotten, so there are never more than two.
 *
 * @throws Problem webhook-not-found
 * @throws Problem webhook-not-signed  it is not of type change
 */
export async function rotateSecret (
  trx: Transaction<Database>, keyring: Keyring, webhook: WebhookId, { overlap_ms, actor }: { overlap_ms: number, actor: string }
): Promise<string> {
  const { account_id, id } = webhook
  // locked, so that of two rotations the second finds the secret of the first
  const found = await trx.selectFrom('webhooks').select('type').where('account_id', '=', account_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forNoKeyUpdate().executeTakeFirst()
  if (found === undefined) throw new Problem('webhook-not-found')
  if (found.type !== 'change') throw new Problem('webhook-not-signed', 'only type change has a signing secret; give another jwt_secret by PUT')
  await trx.deleteFrom('webhook_secrets').where('account_id', '=', account_id).where('webhook_id', '=', id).where('expires_at', 'is not', null).execute()
  await trx.updateTable('webhook_secrets').set({ expires_at: sql<Date>`now() + ${overlap_ms} * interval '1 ms'` })
    .where('account_id', '=', account_id).where('webhook_id', '=', id).execute()
  await recordEvent(trx, { account_id, type: 'webhook.secret_rotated', subject_id: id, actor, data: { overlap_ms } })
  return addSigningSecret(trx, keyring, webhook)
}

/** Until when the signing secret before the newest signs too; null: there was none. */
export async function oldSecretUntil (db: Reader, { account_id, id }: WebhookId): Promise<Date | null> {
  const { until } = await db.selectFrom('webhook_secrets').select(({ fn }) => fn.max('expires_at').as('until'))
    .where('account_id', '=', account_id).where('webhook_id', '=', id).executeTakeFirstOrThrow()
  return until
}
