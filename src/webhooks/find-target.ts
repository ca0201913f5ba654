import type { Reader } from '../database/connect.js'
import { openHeaders, openSecret, type WebhookId } from './secrets.js'
import type { Keyring } from '../sealing.js'
import type { ObjectClass, ValidatorType, WebhookType } from './schema.js'

/** A webhook as a call needs it, its secrets opened. They go into the call and nowhere else. */
export interface Target {
  account_id: string
  id: string
  label: string
  type: WebhookType
  object_class: ObjectClass
  product_id: string | null
  external_url: string
  http_method: 'POST' | 'GET'
  data: unknown
  headers: Record<string, string>
  jwt_secret: string | null
  last_success: { time: string } | null
  last_failure: { time: string } | null
}

/** Active webhooks to call, those that `where` names. */
function targets (db: Reader, account_id: string) {
  return db.selectFrom('webhooks').select(['account_id', 'id', 'label', 'type', 'object_class', 'product_id', 'external_url', 'http_method', 'data',
    'sealed_headers', 'sealed_jwt_secret', 'last_success', 'last_failure'])
    .where('account_id', '=', account_id).where('active', '=', true).where('deleted_at', 'is', null)
}

type Row = Awaited<ReturnType<ReturnType<typeof targets>['executeTakeFirstOrThrow']>>

function opened (keyring: Keyring, { sealed_headers, sealed_jwt_secret, ...row }: Row): Target {
  const headers = openHeaders(keyring, row, sealed_headers)
  return { ...row, headers, jwt_secret: sealed_jwt_secret === null ? null : openSecret(keyring, row, 'jwt_secret', sealed_jwt_secret) } as Target
}

/** The webhook of a message. Undefined: it is inactive or gone. */
export async function findTarget (db: Reader, keyring: Keyring, { account_id, id }: WebhookId): Promise<Target | undefined> {
  const row = await targets(db, account_id).where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : opened(keyring, row)
}

/** The active webhooks of a vendor that check drafts of a product in this way, the oldest first. */
export async function findValidators (
  db: Reader, keyring: Keyring, { account_id, product_id, type }: { account_id: string, product_id: string, type: ValidatorType }
): Promise<Target[]> {
  const rows = await targets(db, account_id).where('product_id', '=', product_id).where('type', '=', type).orderBy('created_at').orderBy('id').execute()
  return rows.map((row) => opened(keyring, row))
}
