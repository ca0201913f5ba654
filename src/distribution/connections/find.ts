import { seenBy, type Party } from '../../accounts/seen-by.js'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { Connection } from '../find-connection.js'

/** The connections that a caller may see. */
export function connectionsSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('connections')
    .innerJoin('products', (join) => join.onRef('products.account_id', '=', 'connections.account_id').onRef('products.id', '=', 'connections.product_id'))
    .innerJoin('accounts as vendors', 'vendors.id', 'connections.account_id')
    .innerJoin('accounts as providers', 'providers.id', 'connections.provider_id')
    .leftJoin('hubs', (join) => join.onRef('hubs.provider_id', '=', 'connections.provider_id').onRef('hubs.id', '=', 'connections.hub_id'))
    .select([
      'connections.account_id', 'connections.id', 'connections.product_id', 'connections.provider_id', 'connections.type', 'connections.status', 'product_version_type',
      'connections.created_at', 'products.name as product_name', 'products.icon', 'vendors.name as vendor_name', 'providers.name as provider_name',
      'hubs.id as hub_id', 'hubs.name as hub_name', 'hubs.instance_id', 'hubs.instance_type',
    ])
    .where(seenBy(caller, 'connections'))
    .$narrowType<Pick<Connection, 'type' | 'status'> & { product_version_type: 'public' | 'staging' }>()
}

type ConnectionRow = Awaited<ReturnType<ReturnType<typeof connectionsSeenBy>['executeTakeFirstOrThrow']>>

/**
 * Those of one product.
 *
 * @throws Problem product-not-found  nor is it one that the caller, a provider, is connected to
 */
export async function connectionsOfProduct (db: Reader, caller: Party, product_id: string) {
  const connections = connectionsSeenBy(db, caller).where('connections.product_id', '=', product_id)
  const products = db.selectFrom('products').select('id').where('id', '=', product_id)
  const seen = caller.type === 'vendor' ? products.where('account_id', '=', caller.id) : caller.type === 'operator' ? products : connections.clearSelect().select('connections.id')
  if (await seen.executeTakeFirst() === undefined) throw new Problem('product-not-found')
  return connections
}

/**
 * @throws Problem product-not-found
 * @throws Problem connection-not-found
 */
export async function findConnectionOf (db: Reader, caller: Party, product_id: string, id: string): Promise<ConnectionRow> {
  const connection = await (await connectionsOfProduct(db, caller, product_id)).where('connections.id', '=', id).executeTakeFirst()
  if (connection === undefined) throw new Problem('connection-not-found')
  return connection
}

/** A connection in Connect's shape. */
export function connectionBody (connection: ConnectionRow) {
  const { id, type, status, hub_id, hub_name, instance_id, instance_type, product_version_type, created_at } = connection
  const instance = { id: instance_id ?? '', type: instance_type as 'API' | 'OA' }
  return {
    id,
    type,
    status,
    provider: { id: connection.provider_id, name: connection.provider_name },
    vendor: { id: connection.account_id, name: connection.vendor_name },
    hub: hub_id === null ? null : { id: hub_id, name: hub_name ?? '', instance },
    product: { id: connection.product_id, name: connection.product_name, icon: connection.icon },
    product_version_type,
    created_at,
  }
}
