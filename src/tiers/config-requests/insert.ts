import { sql, type Transaction } from 'kysely'
import { openConversation } from '../../conversations/note.js'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { partId } from '../../ids.js'
import { lockOwnRequest, type RequestRow } from './request-row.js'

export interface NewRow {
  account_id: string
  tier_config_id: string
  type: 'setup' | 'update' | 'adjustment'
  /** the configuration of the reseller above, which has to be set up first */
  parent_configuration_id?: string | null | undefined
  notes?: string | null | undefined
}

/** Adds a draft to a configuration that the caller has locked: its id is the configuration's with the next number. */
export async function insertRequest (trx: Transaction<Database>, row: NewRow, actor: string | null): Promise<RequestRow> {
  const { account_id, tier_config_id, type, parent_configuration_id = null, notes } = row
  const { provider_id, product_id, environment, made } = await trx.selectFrom('tier_configs as c')
    .innerJoin('connections as n', (join) => join.onRef('n.account_id', '=', 'c.account_id').onRef('n.id', '=', 'c.connection_id'))
    .select(['c.provider_id', 'c.product_id', 'n.type as environment'])
    .select(sql<number>`(select count(*)::int from tier_config_requests r where r.account_id = c.account_id and r.tier_config_id = c.id)`.as('made'))
    .where('c.account_id', '=', account_id).where('c.id', '=', tier_config_id).executeTakeFirstOrThrow()
  const id = partId(tier_config_id, 'TCR', made + 1, 3)
  await trx.insertInto('tier_config_requests')
    .values({ account_id, id, tier_config_id, provider_id, product_id, type, status: 'draft', environment, parent_configuration_id, notes: notes ?? '' }).execute()
  await openConversation(trx, { account_id, provider_id, instance_id: id, topic: `Tier configuration ${type} ${id}`, actor })
  await recordEvent(trx, { account_id, type: 'tier_config_request.created', subject_id: id, actor, data: { tier_config_id, type } })
  return lockOwnRequest(trx, account_id, id)
}
