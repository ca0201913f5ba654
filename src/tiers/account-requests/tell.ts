import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { planWebhooks } from '../../webhooks/plan.js'

interface Told { account_id: string, id: string, provider_id: string, product_id: string, status: string }

/** Plans the webhooks of both sides about the state of a tier account request. */
export async function tellAccountRequest (trx: Transaction<Database>, { account_id, id, provider_id, product_id, status }: Told): Promise<void> {
  await planWebhooks(trx, {
    account_ids: [account_id, provider_id], product_id, object_class: 'tier_account_request', event: `tier_account_request.${status}`, data: { id, type: 'update', status },
  })
}
