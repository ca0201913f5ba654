import { randomBytes } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'
import { Problem } from '../../problems.js'
import { seal, type Keyring } from '../../sealing.js'
import type { ProductKey } from '../find.js'
import { lockProduct } from '../lock.js'
import { actionsOf } from './find.js'
import { secretContext } from './link.js'
import type { ActionChange, NewAction } from './schema.js'

const SECRET_BYTES = 32 // RFC 7518 §3.2: as many as HS256 makes

/**
 * Adds an action to a product, with the secret given or a new one, which is returned here and never again.
 *
 * @throws Problem validation-failed
 * @throws Problem product-not-found
 * @throws Problem name-taken
 */
export async function createAction (
  trx: Transaction<Database>, keyring: Keyring, key: ProductKey, given: Static<typeof NewAction>, actor: string | null
): Promise<{ id: string, secret: string }> {
  const { action, title, url, scope = 'asset', name = action, type = 'button', description, secret = randomBytes(SECRET_BYTES).toString('hex') } = given
  assertUrl(url)
  await lockProduct(trx, key)
  await assertFree(trx, key, action)
  const id = await insertWithNewId(() => newDigitsId('ACT', 3), (id) => trx.insertInto('product_actions').values({
    ...key, id, action, name, title, type, scope, url, description: description ?? '', sealed_secret: seal(keyring, secretContext(key, id), Buffer.from(secret)),
  }).onConflict((conflict) => conflict.columns(['account_id', 'id']).doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id: key.account_id, type: 'product.action_created', subject_id: key.product_id, actor, data: { action_id: id } })
  return { id, secret }
}

/**
 * Replaces what is given of an action. With another secret, links that are under way are no longer signed right.
 *
 * @throws Problem validation-failed
 * @throws Problem action-not-found
 * @throws Problem name-taken
 */
export async function updateAction (
  trx: Transaction<Database>, keyring: Keyring, key: ProductKey, { id, change }: { id: string, change: Static<typeof ActionChange> }, actor: string
): Promise<void> {
  const { action, title, url, scope, name, type, description, secret } = change
  const given = Object.entries({ action, title, url, scope, name, type, description: description === null ? '' : description }).filter(([, value]) => value !== undefined)
  if (url !== undefined) assertUrl(url)
  await lockProduct(trx, key)
  if (action !== undefined) await assertFree(trx, key, action, id)
  const { numUpdatedRows } = await trx.updateTable('product_actions').set({
    ...Object.fromEntries(given),
    ...(secret === undefined ? {} : { sealed_secret: seal(keyring, secretContext(key, id), Buffer.from(secret)) }),
    updated_at: sql<Date>`now()`,
  }).where('account_id', '=', key.account_id).where('product_id', '=', key.product_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('action-not-found')
  const fields = [...given.map(([field]) => field), ...(secret === undefined ? [] : ['secret'])]
  await recordEvent(trx, { account_id: key.account_id, type: 'product.action_updated', subject_id: key.product_id, actor, data: { action_id: id, fields } })
}

/**
 * Deletes an action: no more links, and its versions have none either.
 *
 * @throws Problem action-not-found
 */
export async function deleteAction (trx: Transaction<Database>, { account_id, product_id }: ProductKey, id: string, actor: string): Promise<void> {
  const { numDeletedRows } = await trx.deleteFrom('product_actions')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
  if (numDeletedRows === 0n) throw new Problem('action-not-found')
  await recordEvent(trx, { account_id, type: 'product.action_deleted', subject_id: product_id, actor, data: { action_id: id } })
}

async function assertFree (trx: Transaction<Database>, key: ProductKey, action: string, id = ''): Promise<void> {
  const taken = await actionsOf(trx, key).where('action', '=', action).where('id', '<>', id).executeTakeFirst()
  if (taken === undefined) return
  const fault = `action: ${taken.id} has it`
  throw new Problem('name-taken', { detail: fault, errors: [fault], params: { action_id: taken.id } })
}

/** What is a URI by RFC 3986 may still be none that a browser follows: `http://a:99999`. */
function assertUrl (url: string): void {
  if (URL.canParse(url)) return
  const fault = 'url: must be a URL that a browser can follow'
  throw new Problem('validation-failed', { detail: fault, errors: [fault] })
}
