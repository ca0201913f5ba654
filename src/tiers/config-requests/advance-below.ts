import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { move } from './move.js'
import { proceed } from './proceed.js'
import { lockOwnRequest, type RequestRow } from './request-row.js'

/** A request that came to its end: purchases may wait for it. */
export interface Finished { account_id: string, tier_config_request_id: string, outcome: 'approved' | 'failed' }

/** Moves on the requests of resellers below that wait for this one, approved or failed just now. Returns those that failed with it. */
export async function advanceBelow (
  trx: Transaction<Database>, keyring: Keyring, { account_id, id, tier_config_id }: RequestRow, outcome: Finished['outcome'], actor: string | null
): Promise<Finished[]> {
  const waiting = await trx.selectFrom('tier_config_requests').select('id').where('account_id', '=', account_id)
    .where('parent_configuration_id', '=', tier_config_id).where('status', '=', 'tiers_setup').orderBy('id').execute()
  const service = { side: 'service', key_id: actor } as const
  const failed: Finished[] = []
  for (const below of waiting) {
    const request = await lockOwnRequest(trx, account_id, below.id)
    if (outcome === 'approved') {
      await proceed(trx, keyring, request, 'advance', service)
    } else {
      await move(trx, request, 'give_up', service, { set: { reason: `${id}, the set-up of the reseller above, failed` } })
      failed.push({ account_id, tier_config_request_id: request.id, outcome })
    }
  }
  return failed
}
