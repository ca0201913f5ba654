import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Ends a tier account that nothing names. Its versions stay, and its external ids are free again. Waits for a purchase that has found it.
 *
 * @throws Problem tier-account-not-found
 * @throws Problem tier-account-in-use
 */
export async function deleteAccount (trx: Transaction<Database>, provider_id: string, id: string, actor: string): Promise<void> {
  const account = await trx.selectFrom('tier_accounts').select('id').where('provider_id', '=', provider_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forUpdate().executeTakeFirst()
  if (account === undefined) throw new Problem('tier-account-not-found')
  const { rows: [user] } = await sql<{ id: string }>`
    (select id from assets where provider_id = ${provider_id} and customer_id = ${id} limit 1) union all
    (select id from assets where provider_id = ${provider_id} and tier1_id = ${id} limit 1) union all
    (select id from assets where provider_id = ${provider_id} and tier2_id = ${id} limit 1) union all
    (select id from tier_configs where provider_id = ${provider_id} and tier_account_id = ${id} limit 1) union all
    (select id from tier_account_requests where provider_id = ${provider_id} and tier_account_id = ${id} limit 1) union all
    (select id from tier_accounts where provider_id = ${provider_id} and parent_id = ${id} and deleted_at is null limit 1)
    limit 1`.execute(trx)
  if (user !== undefined) throw new Problem('tier-account-in-use', { detail: `${user.id} names it`, params: { id: user.id } })
  await trx.updateTable('tier_accounts').set({ deleted_at: sql<Date>`now()` }).where('provider_id', '=', provider_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id: provider_id, type: 'tier_account.deleted', subject_id: id, actor })
}
