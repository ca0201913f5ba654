import type { Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { newDigitsId } from '../../ids.js'
import { invalid } from '../../problems.js'
import { insertDistinct } from '../insert-distinct.js'

export interface NewMarketplace { provider_id: string, hub_id: string, name: string, description?: string | undefined, icon?: string | undefined }

/**
 * Makes a marketplace of a provider, served by one of its hubs, and returns its id.
 *
 * @throws Problem validation-failed  the provider has no such hub
 */
export async function createMarketplace (
  trx: Transaction<Database>, { provider_id, hub_id, name, description = '', icon = '' }: NewMarketplace, actor: string
): Promise<string> {
  await checkHub(trx, provider_id, hub_id)
  const id = await insertDistinct(trx, 'marketplaces', () => newDigitsId('MP', 1, 5), (id) =>
    trx.insertInto('marketplaces').values({ provider_id, id, hub_id, name, description, icon })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id: provider_id, type: 'marketplace.created', subject_id: id, actor, data: { hub_id } })
  return id
}

/** @throws Problem validation-failed  the provider has no such hub */
export async function checkHub (db: Reader, provider_id: string, hub_id: string): Promise<void> {
  const hub = await db.selectFrom('hubs').select('id').where('provider_id', '=', provider_id).where('id', '=', hub_id).executeTakeFirst()
  if (hub === undefined) throw invalid(`hub.id: the provider has no hub ${hub_id}`)
}
