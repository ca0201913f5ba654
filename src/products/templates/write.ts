import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'
import { lockProduct } from '../lock.js'
import type { NewTemplate, TemplateChange } from './schema.js'

/** A request names a template from its first moment: of each of these there must be one. */
const NEEDED = ['fulfillment', 'inquire']

/**
 * Adds a template to a product and returns its id.
 *
 * @throws Problem product-not-found
 */
export async function createTemplate (trx: Transaction<Database>, key: ProductKey, given: Static<typeof NewTemplate>, actor: string | null): Promise<string> {
  const { title, name = title, body, scope = 'asset', type = 'fulfillment' } = given
  await lockProduct(trx, key)
  const position = given.position ?? await lastPosition(trx, key) + 1
  const id = await insertWithNewId(() => newDigitsId('TL', 3), (id) =>
    trx.insertInto('product_templates').values({ ...key, id, title, name, body, scope, type, position })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id: key.account_id, type: 'product.template_created', subject_id: key.product_id, actor, data: { template_id: id } })
  return id
}

/**
 * Replaces what is given of a template. Requests and assets that were given it keep its text as it was.
 *
 * @throws Problem template-not-found
 * @throws Problem template-in-use  it was the last of its kind, and would be of another now
 */
export async function updateTemplate (
  trx: Transaction<Database>, key: ProductKey, { id, change }: { id: string, change: Static<typeof TemplateChange> }, actor: string
): Promise<void> {
  const { account_id, product_id } = key
  const { title, name, body, scope, type, position } = change
  const given = Object.entries({ title, name, body, scope, type, position }).filter(([, value]) => value !== undefined)
  await lockProduct(trx, key) // of two who take the last but one away, one notices
  await assertNotLast(trx, key, id, { scope, type })
  const { numUpdatedRows } = await trx.updateTable('product_templates').set({ ...Object.fromEntries(given), updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('template-not-found')
  await recordEvent(trx, { account_id, type: 'product.template_updated', subject_id: product_id, actor, data: { template_id: id, fields: given.map(([field]) => field) } })
}

/**
 * Deletes a template that nothing shows, unless it is the last one that requests can fall back on.
 *
 * @throws Problem template-not-found
 * @throws Problem template-in-use
 */
export async function deleteTemplate (trx: Transaction<Database>, key: ProductKey, id: string, actor: string): Promise<void> {
  const { account_id, product_id } = key
  await lockProduct(trx, key) // of two who take the last but one away, one notices
  await assertNotLast(trx, key, id, { type: null })
  const { rows: [used] } = await sql<{ by: string }>`
    select 'requests' as by from requests where account_id = ${account_id} and product_id = ${product_id} and template_id = ${id}
    union all select 'assets' from assets where account_id = ${account_id} and product_id = ${product_id} and template_id = ${id}
    union all select 'tier configurations' from tier_configs where account_id = ${account_id} and product_id = ${product_id} and template_id = ${id}
    union all select 'tier configuration requests' from tier_config_requests where account_id = ${account_id} and product_id = ${product_id} and template_id = ${id}
    limit 1`.execute(trx)
  if (used !== undefined) throw new Problem('template-in-use', { detail: `there are ${used.by} that show it`, params: { used_by: used.by } })
  const { numDeletedRows } = await trx.deleteFrom('product_templates')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
  if (numDeletedRows === 0n) throw new Problem('template-not-found')
  await recordEvent(trx, { account_id, type: 'product.template_deleted', subject_id: product_id, actor, data: { template_id: id } })
}

async function lastPosition (trx: Transaction<Database>, { account_id, product_id }: ProductKey): Promise<number> {
  const { last } = await trx.selectFrom('product_templates').select((of) => of.fn.max('position').as('last'))
    .where('account_id', '=', account_id).where('product_id', '=', product_id).executeTakeFirstOrThrow()
  return last ?? 0
}

/** After the change the product still has an asset template of each type that requests need. */
async function assertNotLast (
  trx: Transaction<Database>, { account_id, product_id }: ProductKey, id: string, change: { scope?: string | undefined, type?: string | null | undefined }
): Promise<void> {
  const templates = await trx.selectFrom('product_templates').select(['id', 'scope', 'type'])
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('scope', '=', 'asset').where('type', 'in', NEEDED).execute()
  const template = templates.find((each) => each.id === id)
  if (template === undefined) return
  const stays = (change.scope ?? 'asset') === 'asset' && (change.type === undefined || change.type === template.type)
  if (stays || templates.some((each) => each.id !== id && each.type === template.type)) return
  throw new Problem('template-in-use', { detail: `it is the last one of the type ${template.type ?? ''} for assets: make another first`, params: { used_by: 'product' } })
}
