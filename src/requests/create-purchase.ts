import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { findConnection, type Connection } from '../distribution/find-connection.js'
import { resolveMarketplace } from '../distribution/resolve-marketplace.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import { invalid } from '../problems.js'
import { assertUnknown } from './conflicts.js'
import { insertRequest } from './insert.js'
import { applyItems, assertNotEmpty, productOfItems, readItems, writeRequestItems } from './items.js'
import { tell } from './move.js'
import { proceed } from './proceed.js'
import { readMoment } from './read-moment.js'
import { lockAsset, type Actor, type Caller, type RequestRow, type Service } from './request-row.js'
import type { NewRequest } from './bodies/schema.js'
import { resolveTiers, type TierIds } from './tiers.js'
import { writeParams } from './write-params.js'

type Asset = NonNullable<NewRequest['asset']>

/** Makes a purchase with its asset. See create.ts. */
export async function createPurchase (trx: Transaction<Database>, service: Service, caller: Caller, actor: Actor, body: NewRequest): Promise<RequestRow> {
  const asset = body.asset ?? {}
  const isDraft = body.status === 'draft'
  const planned_date = readMoment('planned_date', body.planned_date)
  const connection = await findUsableConnection(trx, caller, asset)
  const external_uid = asset.external_uid || randomUUID()
  await assertUnknown(trx, service, connection, external_uid)
  const place = await resolveMarketplace(trx, connection, asset.marketplace?.id || body.marketplace?.id || undefined)
  const items = await readItems(trx, connection, asset.items ?? [])
  if (!isDraft) assertNotEmpty(items)
  const tiers = await resolveTiers(trx, connection, asset.tiers ?? {}, actor)
  if (!isDraft && tiers.customer_id === null) throw invalid('asset.tiers.customer: is required')
  const asset_id = await insertAsset(trx, connection, { ...place, ...tiers, external_uid, external_id: asset.external_id ?? '' })
  const external_attributes = body.external_attributes ?? asset.external_attributes
  const request = await insertRequest(trx, await lockAsset(trx, connection.account_id, asset_id), { type: 'purchase', note: body.note, planned_date, external_attributes }, actor)
  await writeRequestItems(trx, request, new Map(), items)
  await writeParams(trx, service.keyring, request, actor, asset.params ?? [], { mode: isDraft ? 'validate' : 'strict', with_defaults: true })
  if (isDraft) {
    await tell(trx, request, null, actor)
    return request
  }
  await applyItems(trx, request) // as openRequest does it; what else that one asks is known of an asset just made
  return proceed(trx, service.keyring, request, 'purchase', actor)
}

/** The connection that a purchase names. Its product may be named too, and must be the one. */
async function findUsableConnection (trx: Transaction<Database>, caller: Caller, { connection: named, product, items }: Asset): Promise<Connection> {
  if (!named?.id) throw invalid('asset.connection.id: is required')
  const connection = await findConnection(trx, { provider_id: caller.id, id: named.id })
  if (connection === undefined) throw invalid(`asset.connection.id: there is no connection ${JSON.stringify(named.id)}`)
  if (!connection.is_usable) throw invalid(`asset.connection.id: ${connection.id} is ${connection.status}`)
  const product_id = product?.id || productOfItems(items ?? []) || connection.product_id
  if (product_id !== connection.product_id) throw invalid(`asset.product.id: ${connection.id} is a connection to ${connection.product_id}, not to ${JSON.stringify(product_id)}`)
  return connection
}

type NewAsset = TierIds & { marketplace_id: string, contract_id: string, external_id: string, external_uid: string }

async function insertAsset (trx: Transaction<Database>, connection: Connection, asset: NewAsset): Promise<string> {
  const { account_id, provider_id, product_id, id: connection_id } = connection
  const { marketplace_id, contract_id, external_id, external_uid, customer_id, tier1_id, tier2_id } = asset
  const row = { account_id, provider_id, connection_id, product_id, status: 'draft', external_id, external_uid, marketplace_id, contract_id, customer_id, tier1_id, tier2_id }
  return insertWithNewId(() => newDigitsId('AS', 3, 4), (id) =>
    trx.insertInto('assets').values({ ...row, id }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
}
