import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { newDigitsId } from '../../ids.js'
import { invalid } from '../../problems.js'
import { insertDistinct } from '../insert-distinct.js'

export interface HubWords { name?: string | undefined, description?: string | undefined, instance?: { id?: string, type?: 'API' | 'OA' } | undefined }

/**
 * Makes a hub of a provider and returns its id.
 *
 * @throws Problem validation-failed  there is no such provider
 */
export async function createHub (
  trx: Transaction<Database>, { provider_id, name, description, instance }: HubWords & { provider_id: string, name: string }, actor: string
): Promise<string> {
  const provider = await trx.selectFrom('accounts').select('id').where('id', '=', provider_id).where('type', '=', 'provider').executeTakeFirst()
  if (provider === undefined) throw invalid(`owner.id: there is no provider ${provider_id}`)
  const id = await insertDistinct(trx, 'hubs', () => newDigitsId('HB', 2, 4), (id) =>
    trx.insertInto('hubs').values({ provider_id, id, name, ...columnsOf({ description, instance }) })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id: provider_id, type: 'hub.created', subject_id: id, actor })
  return id
}

/** What is given, by column. */
export function columnsOf ({ name, description, instance: { id, type } = {} }: HubWords) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(id === undefined ? {} : { instance_id: id }),
    ...(type === undefined ? {} : { instance_type: type }),
  }
}
