import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { MASK, type ObjectClass, type WebhookWords } from './schema.js'
import type { WebhookId } from './secrets.js'

/** Where the objects of a class are listed. */
const LISTS: Record<ObjectClass, string> = {
  fulfillment_request: '/v1/requests',
  tier_config_request: '/v1/tier/config-requests',
  tier_account_request: '/v1/tier/account-requests',
  billing_request: '/v1/subscriptions/requests',
  order: '/v1/orders',
  license: '/v1/licenses',
  pool: '/v1/pools',
  delivery: '/v1/deliveries',
}

/** Where the receiver looks for what has changed. */
export const apiUrl = (public_url: string, object_class: ObjectClass): string => public_url + LISTS[object_class]

/** The webhooks of an account, in no order: for a list to narrow, and for {@link shownWebhook} to finish. Of secrets only whether there are. */
export function webhooksOf (db: Reader, account_id: string) {
  return db.selectFrom('webhooks as w')
    .innerJoin('accounts as a', 'a.id', 'w.account_id')
    .leftJoin('products as p', (join) => join.onRef('p.account_id', '=', 'w.vendor_id').onRef('p.id', '=', 'w.product_id'))
    .leftJoin('api_keys as c', (join) => join.onRef('c.account_id', '=', 'w.account_id').onRef('c.id', '=', 'w.created_by'))
    .leftJoin('api_keys as m', (join) => join.onRef('m.account_id', '=', 'w.account_id').onRef('m.id', '=', 'w.modified_by'))
    .select(['w.id', 'w.label', 'w.description', 'w.type', 'w.object_class', 'w.event_types', 'w.product_id', 'p.name as product_name', 'p.icon as product_icon', 'w.external_url',
      'w.http_method', 'w.header_names', 'w.data', 'w.active', 'w.disabled_reason', 'w.account_id', 'a.name as account_name', 'w.created_at', 'w.created_by',
      'c.name as creator_name', 'c.email as creator_email', 'w.modified_at', 'w.modified_by', 'm.name as modifier_name', 'm.email as modifier_email',
      'w.events', 'w.triggers', 'w.success_triggers', 'w.failure_triggers', 'w.failure_since_last_success', 'w.last_event_at', 'w.last_success', 'w.last_failure',
      sql<boolean>`w.sealed_jwt_secret is not null`.as('has_jwt_secret'),
      sql<Date | null>`(select min(s.next_attempt_at) from webhook_messages s
        where s.account_id = w.account_id and s.webhook_id = w.id and s.status in ('planned', 'sending'))`.as('earliest_possible_trigger'),
    ])
    .where('w.account_id', '=', account_id).where('w.deleted_at', 'is', null).$narrowType<WebhookWords>()
}

type Row = Awaited<ReturnType<ReturnType<typeof webhooksOf>['executeTakeFirstOrThrow']>>

const person = (id: string, name: string | null, email: string | null) => ({ id, name: name ?? '', email: email ?? '' })

/** A webhook as it is answered; what its schema does not name is left out there. */
export function shownWebhook (row: Row, public_url: string) {
  return {
    ...row,
    product: row.product_id === null ? null : { id: row.product_id, name: row.product_name ?? '', icon: row.product_icon ?? '' },
    headers: Object.fromEntries(row.header_names.map((name) => [name, MASK])),
    data: row.data as Record<string, unknown>,
    jwt_secret: row.has_jwt_secret ? MASK : null,
    api_url: apiUrl(public_url, row.object_class),
    account: { id: row.account_id, name: row.account_name },
    created_by: person(row.created_by, row.creator_name, row.creator_email),
    modified_by: row.modified_by === null ? null : person(row.modified_by, row.modifier_name, row.modifier_email),
    last_event: row.last_event_at,
    stats: {
      events: Number(row.events),
      triggers: Number(row.triggers),
      success_triggers: Number(row.success_triggers),
      failure_triggers: Number(row.failure_triggers),
      failure_since_last_success: Number(row.failure_since_last_success),
    },
  }
}

/**
 * One webhook, as it is answered.
 *
 * @throws Problem webhook-not-found
 */
export async function findWebhook (db: Reader, { account_id, id }: WebhookId, public_url: string): Promise<ReturnType<typeof shownWebhook>> {
  const row = await webhooksOf(db, account_id).where('w.id', '=', id).executeTakeFirst()
  if (row === undefined) throw new Problem('webhook-not-found')
  return shownWebhook(row, public_url)
}
