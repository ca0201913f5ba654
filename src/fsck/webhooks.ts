import { sql } from 'kysely'
import type { Check } from './check.js'

/** What webhooks are told: signed with a secret there is, every try on record. */
export const webhookChecks: readonly Check[] = [
  {
    name: 'a webhook of type change has one signing secret that does not end, others have none',
    over: 'webhooks',
    broken: sql`
      select w.id from webhooks w
      where (w.type = 'change' and w.deleted_at is null)::int <> (
        select count(*) from webhook_secrets s where s.account_id = w.account_id and s.webhook_id = w.id and s.expires_at is null)`,
  }, {
    name: 'a message is to a webhook of its account, in words that this has',
    over: 'webhook_messages',
    broken: sql`
      select m.id from webhook_messages m
      where not exists (select from webhooks w where w.account_id = m.account_id and w.id = m.webhook_id and (w.type = 'event') = (m.kind = 'signal'))`,
  }, {
    name: 'a message to a webhook has every try on record',
    over: 'webhook_messages',
    broken: sql`
      select m.id from webhook_messages m
      where m.attempts <> (select count(*) from webhook_attempts a where a.account_id = m.account_id and a.message_id = m.id)`,
  },
]
