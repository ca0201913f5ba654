import type { Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { newDigitsId } from '../../ids.js'
import { invalid, Problem } from '../../problems.js'
import type { Connection } from '../find-connection.js'
import { insertDistinct } from '../insert-distinct.js'

export interface NewConnection extends Pick<Connection, 'account_id' | 'product_id' | 'type'> {
  /** one of these, or both */
  provider_id?: string | undefined
  hub_id?: string | undefined
  product_version_type?: 'public' | 'staging' | undefined
}

/**
 * Lets a provider, or one hub of it, request a vendor's product, and returns the connection's id.
 *
 * @throws Problem product-not-found
 * @throws Problem validation-failed  there is no such provider or hub, or neither was named
 */
export async function createConnection (trx: Transaction<Database>, connection: NewConnection, actor: string): Promise<string> {
  const { account_id, product_id, type, product_version_type = 'public', hub_id } = connection
  const product = await trx.selectFrom('products').select('id').where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  const provider_id = await providerOf(trx, connection)
  const id = await insertDistinct(trx, 'connections', () => newDigitsId('CT', 3, 4), (id) =>
    trx.insertInto('connections').values({ account_id, id, product_id, provider_id, hub_id: hub_id ?? null, type, product_version_type })
      .onConflict((conflict) => conflict.columns(['account_id', 'id']).doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id, type: 'connection.created', subject_id: id, actor, data: { product_id, provider_id, hub_id: hub_id ?? null, type } })
  return id
}

/** The provider that was named, or whose hub was. */
async function providerOf (db: Reader, { provider_id, hub_id }: NewConnection): Promise<string> {
  if (hub_id !== undefined) {
    const hub = await db.selectFrom('hubs').select('provider_id').where('id', '=', hub_id)
      .$if(provider_id !== undefined, (query) => query.where('provider_id', '=', provider_id!)).executeTakeFirst()
    if (hub === undefined) throw invalid(`hub.id: there is no hub ${hub_id}${provider_id === undefined ? '' : ` of ${provider_id}`}`)
    return hub.provider_id
  }
  if (provider_id === undefined) throw invalid('provider.id: is required, unless a hub is named')
  const provider = await db.selectFrom('accounts').select('id').where('id', '=', provider_id).where('type', '=', 'provider').executeTakeFirst()
  if (provider === undefined) throw invalid(`provider.id: there is no provider ${provider_id}`)
  return provider.id
}
