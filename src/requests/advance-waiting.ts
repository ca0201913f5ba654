import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { move } from './move.js'
import { proceed } from './proceed.js'
import { lockOwnRequest } from './request-row.js'

interface Setup { account_id: string, tier_config_request_id: string, outcome: 'approved' | 'failed' }

/**
 * Moves on the requests that wait in tiers_setup for a tier configuration request, in the transaction that approves or fails it and after it
 * has. One that waits for others too goes on waiting. The caller calls wakeWorker() after the commit.
 */
export async function advanceWaiting (
  trx: Transaction<Database>, keyring: Keyring, { account_id, tier_config_request_id, outcome }: Setup, actor: string | null
): Promise<void> {
  const waits = await trx.selectFrom('request_waits').select('request_id')
    .where('account_id', '=', account_id).where('tier_config_request_id', '=', tier_config_request_id).orderBy('request_id').execute()
  for (const { request_id } of waits) {
    const request = await lockOwnRequest(trx, account_id, request_id)
    if (request?.status !== 'tiers_setup') continue
    const service = { side: 'service', key_id: actor } as const
    if (outcome === 'failed') await move(trx, request, 'give_up', service, { set: { reason: `${tier_config_request_id}, the set-up of a reseller, failed` } })
    else if (!await isWaiting(trx, account_id, request_id)) await proceed(trx, keyring, request, 'advance', service)
  }
}

async function isWaiting (trx: Transaction<Database>, account_id: string, request_id: string): Promise<boolean> {
  const { rows } = await sql`
    select from request_waits w join tier_config_requests t on t.account_id = w.account_id and t.id = w.tier_config_request_id and t.status <> 'approved'
    where w.account_id = ${account_id} and w.request_id = ${request_id} limit 1`.execute(trx)
  return rows.length > 0
}
