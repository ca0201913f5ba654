import type { Transaction } from 'kysely'
import { openConversation } from '../conversations/note.js'
import type { Database } from '../database/connect.js'
import { partId } from '../ids.js'
import type { Actor, AssetRow, RequestRow, Words } from './request-row.js'
import type { RequestType } from './transitions.js'

const NUMBER_DIGITS = 3 // from 1000 on an id simply has more

export interface NewRow {
  type: RequestType
  note?: string | null | undefined
  planned_date?: Date | undefined
  external_attributes?: Record<string, unknown> | null | undefined
  /** of a request that is refused as it is made */
  failed_because?: string | undefined
}

/** Adds a request to a locked asset, as a draft or as failed. Its id is the asset's with the next number. The caller tells of it (move.ts). */
export async function insertRequest (trx: Transaction<Database>, asset: AssetRow, row: NewRow, actor: Actor): Promise<RequestRow> {
  const { account_id, id: asset_id, provider_id, product_id } = asset
  const { type, note, planned_date = null, external_attributes, failed_because } = row
  const { requests_made } = await trx.updateTable('assets').set((e) => ({ requests_made: e('requests_made', '+', 1) }))
    .where('account_id', '=', account_id).where('id', '=', asset_id).returning('requests_made').executeTakeFirstOrThrow()
  const id = partId(asset_id, 'PR', requests_made, NUMBER_DIGITS)
  const request = await trx.insertInto('requests').values({
    account_id,
    id,
    asset_id,
    provider_id,
    product_id,
    type,
    status: failed_because === undefined ? 'draft' : 'failed',
    note: note ?? '',
    reason: failed_because ?? '',
    planned_date,
    previous_request_id: await previousOf(trx, account_id, asset_id),
    asset_status: asset.status,
    external_attributes: external_attributes == null ? null : JSON.stringify(external_attributes),
    created_by: actor.key_id,
  }).returningAll().$narrowType<Words>().executeTakeFirstOrThrow()
  await openConversation(trx, { account_id, provider_id, instance_id: id, topic: `${type} ${id}`, actor: actor.key_id })
  return request
}

/** The request that was last approved on the asset. */
async function previousOf (trx: Transaction<Database>, account_id: string, asset_id: string): Promise<string | null> {
  const previous = await trx.selectFrom('requests').select('id').where('account_id', '=', account_id).where('asset_id', '=', asset_id)
    .where('status', '=', 'approved').orderBy('created_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst()
  return previous?.id ?? null
}
