import { sql } from 'kysely'
import { jsonObjectFrom } from 'kysely/helpers/postgres'
import type { Static } from 'typebox'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { Action } from '../actions/schema.js'
import type { ProductKey } from '../find.js'
import type { ProductVersion } from './schema.js'

type Snapshot = Omit<Static<typeof ProductVersion>, 'id' | 'version' | 'owner' | 'events'>

/** The published versions of a product: for reading one and for lists. */
export function versionsOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('product_versions')
    .select(['product_id as id', 'version', 'created_at', sql<Snapshot>`snapshot`.as('snapshot')])
    .select((row) => jsonObjectFrom(row.selectFrom('accounts').select(['accounts.id', 'accounts.name']).whereRef('accounts.id', '=', 'product_versions.account_id'))
      .$notNull().as('owner'))
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}

/** A version in the shape of its product. */
export function versionBody ({ id, version, owner, created_at, snapshot }: Awaited<ReturnType<ReturnType<typeof versionsOf>['executeTakeFirstOrThrow']>>) {
  return { ...snapshot, id, version, owner, events: { created: { at: created_at } } }
}

/** @throws Problem version-not-found */
export async function findVersion (db: Reader, key: ProductKey, version: number) {
  const row = await versionsOf(db, key).where('version', '=', version).executeTakeFirst()
  if (row === undefined) throw new Problem('version-not-found')
  return versionBody(row)
}

type ActionBody = Static<typeof Action>

/** The actions of a version, as they were then: for reading one and for lists. */
export function versionActionsOf (db: Reader, { account_id, product_id }: ProductKey, version: number) {
  const actions = db.selectFrom('product_versions')
    .select(sql<ActionBody>`jsonb_array_elements(actions)`.as('body'))
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('version', '=', version)
  return db.selectFrom(actions.as('actions')).select('body')
}

/** @throws Problem version-not-found, action-not-found */
export async function findVersionAction (db: Reader, key: ProductKey, version: number, id: string): Promise<ActionBody> {
  await findVersion(db, key, version)
  const action = await versionActionsOf(db, key, version).where(sql`body ->> 'id'`, '=', id).executeTakeFirst()
  if (action === undefined) throw new Problem('action-not-found')
  return action.body
}
