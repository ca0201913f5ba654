import { sql, type Transaction } from 'kysely'
import { openConversation } from '../../conversations/note.js'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { insertWithNewId, partId } from '../../ids.js'
import { capabilitiesOf } from '../../products/capabilities.js'
import { tellAccountRequest } from './tell.js'

interface Changed { provider_id: string, tier_account_id: string, version: number }

/**
 * Opens a request for each product that was sold to, or through, a changed tier account, and returns their ids. It is unsupported from the
 * start where the product does not ask for such news. The caller holds the lock of the tier account: the requests are numbered by it.
 */
export async function openAccountRequests (trx: Transaction<Database>, changed: Changed, actor: string): Promise<string[]> {
  const { provider_id, tier_account_id, version } = changed
  const { rows: sold } = await sql<{ account_id: string, product_id: string, capabilities: unknown }>`
    select s.account_id, s.product_id, p.capabilities from (
      select account_id, product_id from assets where provider_id = ${provider_id} and customer_id = ${tier_account_id} and status not in ('draft', 'terminated') union
      select account_id, product_id from assets where provider_id = ${provider_id} and tier1_id = ${tier_account_id} and status not in ('draft', 'terminated') union
      select account_id, product_id from assets where provider_id = ${provider_id} and tier2_id = ${tier_account_id} and status not in ('draft', 'terminated') union
      select account_id, product_id from tier_configs where provider_id = ${provider_id} and tier_account_id = ${tier_account_id}) s
    join products p on p.account_id = s.account_id and p.id = s.product_id
    order by s.account_id, s.product_id`.execute(trx)
  const { total } = await trx.selectFrom('tier_account_requests').select(sql<number>`count(*)::int`.as('total'))
    .where('provider_id', '=', provider_id).where('tier_account_id', '=', tier_account_id).executeTakeFirstOrThrow()
  const ids: string[] = []
  let nth = total
  for (const { account_id, product_id, capabilities } of sold) {
    const status = capabilitiesOf({ capabilities }).tiers_updates ? 'pending' : 'unsupported'
    const id = await insertWithNewId(() => partId(tier_account_id, 'TAR', ++nth, 3), async (id) =>
      trx.insertInto('tier_account_requests').values({ account_id, id, provider_id, product_id, tier_account_id, version, status })
        .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
    await openConversation(trx, { account_id, provider_id, instance_id: id, topic: `Tier account ${tier_account_id} has changed`, actor })
    await recordEvent(trx, { account_id, type: 'tier_account_request.created', subject_id: id, actor, data: { tier_account_id, version, status } })
    await tellAccountRequest(trx, { account_id, id, provider_id, product_id, status })
    ids.push(id)
  }
  return ids
}
