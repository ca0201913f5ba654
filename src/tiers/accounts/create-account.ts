import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'
import { invalid } from '../../problems.js'
import { checkAccount } from './check-account.js'
import { insertAccount } from './insert-account.js'
import type { AccountToMake } from './schema.js'
import { refuseTaken } from './refuse-taken.js'

/**
 * Makes a tier account and returns its id.
 *
 * @throws Problem validation-failed
 * @throws Problem tier-account-exists
 */
export async function createAccount (trx: Transaction<Database>, provider_id: string, given: AccountToMake, actor: string): Promise<string> {
  const { type, scopes, environment, parent, hub } = given
  const data = checkAccount(given, '')
  const [parent_id, hub_id] = [parent?.id ?? null, hub?.id ?? null]
  if (parent_id !== null && !await isAccount(trx, provider_id, parent_id)) throw invalid('parent.id: there is no such tier account')
  if (hub_id !== null && !await isHub(trx, provider_id, hub_id)) throw invalid('hub.id: you have no such hub')
  const row = { ...data, provider_id, type, scopes: scopes ?? [], environment: environment ?? undefined, parent_id, hub_id }
  return insertWithNewId(() => newDigitsId('TA', 3, 4), async (id) => {
    const made = await insertAccount(trx, id, row, actor)
    if (made === undefined) await refuseTaken(trx, row)
    return made
  })
}

/** Locked, so that it is not deleted before this commits. */
async function isAccount (trx: Transaction<Database>, provider_id: string, id: string): Promise<boolean> {
  return await trx.selectFrom('tier_accounts').select('id').where('provider_id', '=', provider_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forKeyShare().executeTakeFirst() !== undefined
}

async function isHub (trx: Transaction<Database>, provider_id: string, id: string): Promise<boolean> {
  return await trx.selectFrom('hubs').select('id').where('provider_id', '=', provider_id).where('id', '=', id).executeTakeFirst() !== undefined
}
