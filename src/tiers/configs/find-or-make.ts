import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'

/** Which reseller at which level, for which product, through which connection. */
export interface ConfigOf {
  account_id: string
  provider_id: string
  product_id: string
  connection_id: string
  tier_account_id: string
  tier_level: 1 | 2
  marketplace_id?: string | null | undefined
  contract_id?: string | null | undefined
}

/** The id of the one configuration of a reseller; made, to be set up, where there is none. */
export async function findOrMakeConfig (trx: Transaction<Database>, of: ConfigOf, actor: string | null): Promise<string> {
  const { account_id, provider_id, product_id, connection_id, tier_account_id, tier_level, marketplace_id = null, contract_id = null } = of
  const find = async () => trx.selectFrom('tier_configs').select('id').where('account_id', '=', account_id).where('product_id', '=', product_id)
    .where('connection_id', '=', connection_id).where('tier_account_id', '=', tier_account_id).where('tier_level', '=', tier_level).executeTakeFirst()
  const found = await find()
  if (found !== undefined) return found.id
  return insertWithNewId(() => newDigitsId('TC', 3), async (id) => {
    const made = await trx.insertInto('tier_configs')
      .values({ account_id, id, provider_id, product_id, connection_id, tier_account_id, tier_level, status: 'processing', marketplace_id, contract_id })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
    if (made === undefined) return find()
    await recordEvent(trx, { account_id, type: 'tier_config.created', subject_id: id, actor, data: { product_id, tier_account_id, tier_level } })
    return made
  })
}
