import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { newDigitsId } from '../../ids.js'
import { invalid } from '../../problems.js'
import { insertDistinct } from '../insert-distinct.js'
import { oneInForce } from './one-in-force.js'

export interface NewContract { account_id: string, marketplace_id: string, provider_id: string, name?: string | undefined }

/**
 * Makes a vendor's contract for a marketplace, named after it unless a name is given, and returns its id. The provider is asked for because
 * a contract shows both names to the vendor: one who guesses the five digits of a marketplace must know whose it is, too.
 *
 * @throws Problem validation-failed  the provider has no such marketplace
 * @throws Problem contract-exists
 */
export async function createContract (trx: Transaction<Database>, contract: NewContract, actor: string): Promise<string> {
  const { account_id, provider_id, marketplace_id } = contract
  const marketplace = await trx.selectFrom('marketplaces').select('name')
    .where('provider_id', '=', provider_id).where('id', '=', marketplace_id).executeTakeFirst()
  if (marketplace === undefined) throw invalid(`marketplace.id: there is no marketplace ${marketplace_id} of ${provider_id}`)
  const id = await oneInForce(trx, { account_id, provider_id, marketplace_id }, () =>
    insertDistinct(trx, 'contracts', () => newDigitsId('CRD', 3, 5), (id) =>
      trx.insertInto('contracts').values({ account_id, id, provider_id, marketplace_id, name: contract.name ?? marketplace.name })
        .onConflict((conflict) => conflict.columns(['account_id', 'id']).doNothing()).returning('id').executeTakeFirst()))
  await recordEvent(trx, { account_id, type: 'contract.created', subject_id: id, actor, data: { provider_id, marketplace_id } })
  return id
}
