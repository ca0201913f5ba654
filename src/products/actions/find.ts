import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'

type ActionScope = 'asset' | 'tier1' | 'tier2'

/** The actions of a product, without their secrets: for reading one and for lists. */
export function actionsOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('product_actions')
    .select(['id', 'action', 'name', 'title', 'type', 'description', 'url', 'created_at', 'updated_at', sql<ActionScope>`scope`.as('scope')])
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}

/** An action in Connect's shape; where it leads is for its vendor, others ask for a link. */
export function actionBody (
  { url, created_at, updated_at, ...action }: Awaited<ReturnType<ReturnType<typeof actionsOf>['executeTakeFirstOrThrow']>>, is_owner: boolean
) {
  return { ...action, ...(is_owner ? { url } : {}), events: { created: { at: created_at }, updated: { at: updated_at } } }
}

/** @throws Problem action-not-found */
export async function findAction (db: Reader, key: ProductKey, id: string, is_owner: boolean) {
  const action = await actionsOf(db, key).where('id', '=', id).executeTakeFirst()
  if (action === undefined) throw new Problem('action-not-found')
  return actionBody(action, is_owner)
}
