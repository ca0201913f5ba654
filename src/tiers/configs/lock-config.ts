import type { Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { OPEN } from '../config-requests/transitions.js'

/** A configuration, locked until the caller's transaction ends: its requests are numbered and moved under this lock. */
export async function lockConfig (trx: Transaction<Database>, account_id: string, id: string) {
  return trx.selectFrom('tier_configs').select(['account_id', 'id', 'provider_id', 'product_id', 'tier_level']).where('account_id', '=', account_id).where('id', '=', id)
    .select((row) => row.ref('status').$castTo<'processing' | 'active'>().as('status')).forNoKeyUpdate().executeTakeFirstOrThrow()
}

/** The request that is under way on a configuration. */
export async function openRequestOf (db: Reader, account_id: string, tier_config_id: string): Promise<{ id: string, status: string } | undefined> {
  return db.selectFrom('tier_config_requests').select(['id', 'status']).where('account_id', '=', account_id).where('tier_config_id', '=', tier_config_id)
    .where('status', 'in', OPEN).executeTakeFirst()
}

/**
 * Refuses a second request while one is under way. The configuration is locked, so none can come between.
 *
 * @throws Problem tier-config-request-open
 */
export async function assertNoneOpen (db: Reader, account_id: string, tier_config_id: string): Promise<void> {
  const open = await openRequestOf(db, account_id, tier_config_id)
  if (open === undefined) return
  const params = { request_id: open.id, request_status: open.status, configuration_id: tier_config_id }
  throw new Problem('tier-config-request-open', { detail: `${open.id} is ${open.status}`, params })
}
