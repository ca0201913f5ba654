import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import type { Keyring } from '../sealing.js'
import { faultsOfNew, refuse, vendorOf, type Owner } from './check.js'
import { SHARED_CLASSES, type NewWebhook } from './schema.js'
import { addSigningSecret } from './rotate-secret.js'
import { sealSecret } from './secrets.js'

const WEBHOOKS_MAX = 100 // of an account: every change is told to all that match

export interface Settings { keyring: Keyring, allowed_networks: readonly string[] }

/**
 * Makes a webhook. One of type change gets a signing secret, which is returned here and never again.
 *
 * @throws Problem validation-failed
 * @throws Problem product-not-found
 * @throws Problem too-many-webhooks
 */
export async function createWebhook (
  trx: Transaction<Database>, { keyring, allowed_networks }: Settings, owner: Owner, body: Static<typeof NewWebhook>
): Promise<{ id: string, secret?: string }> {
  const type = body.type ?? ((SHARED_CLASSES as readonly string[]).includes(body.object_class) ? 'event' : 'change')
  refuse(faultsOfNew({ ...body, type }, owner, allowed_networks))
  const { label, object_class, external_url, active, http_method = 'POST' } = body
  const product_id = body.product_id || null
  const vendor_id = product_id === null ? null : await vendorOf(trx, owner, product_id)
  await checkRoom(trx, owner.id)
  const jwt_secret = type === 'change' ? null : body.jwt_secret ?? null
  const headers = Object.entries(body.headers ?? {})
  const id = await insertWithNewId(() => newDigitsId('WH', 3), (id) => {
    const webhook = { account_id: owner.id, id }
    return trx.insertInto('webhooks').values({
      ...webhook,
      ...{ label, type, object_class, vendor_id, product_id, external_url, http_method, active },
      created_by: owner.key_id,
      description: body.description ?? '',
      event_types: body.event_types ?? [],
      data: JSON.stringify(body.data ?? {}),
      header_names: headers.map(([name]) => name),
      sealed_headers: headers.length === 0 ? null : sealSecret(keyring, webhook, 'headers', JSON.stringify(body.headers)),
      sealed_jwt_secret: jwt_secret === null ? null : sealSecret(keyring, webhook, 'jwt_secret', jwt_secret),
    }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
  })
  await recordEvent(trx, { account_id: owner.id, type: 'webhook.created', subject_id: id, actor: owner.key_id, data: { type, object_class } })
  return type === 'change' ? { id, secret: await addSigningSecret(trx, keyring, { account_id: owner.id, id }) } : { id }
}

/** The account's row is locked: of two that race for the last place one gets it. */
async function checkRoom (trx: Transaction<Database>, account_id: string): Promise<void> {
  await trx.selectFrom('accounts').select('id').where('id', '=', account_id).forNoKeyUpdate().execute()
  const { count } = await trx.selectFrom('webhooks').select(sql<number>`count(*)::int`.as('count'))
    .where('account_id', '=', account_id).where('deleted_at', 'is', null).executeTakeFirstOrThrow()
  if (count >= WEBHOOKS_MAX) throw new Problem('too-many-webhooks', `an account has at most ${WEBHOOKS_MAX} webhooks; delete one`)
}
