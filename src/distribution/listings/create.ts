import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { newDigitsId } from '../../ids.js'
import { invalid, Problem } from '../../problems.js'
import { insertDistinct } from '../insert-distinct.js'

export interface NewListing { account_id: string, product_id: string, contract_id: string, status?: 'listed' | 'unlisted' | undefined }

/**
 * Puts a vendor's product on the marketplace of a contract and returns the listing's id.
 *
 * @throws Problem validation-failed  the vendor has no such product, or no such contract in force
 * @throws Problem listing-exists
 */
export async function createListing (trx: Transaction<Database>, { account_id, product_id, contract_id, status = 'listed' }: NewListing, actor: string): Promise<string> {
  const product = await trx.selectFrom('products').select('id').where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirst()
  if (product === undefined) throw invalid(`product.id: there is no product ${product_id}`)
  // locked, so that of two who list the same product the second finds the first's listing
  const contract = await trx.selectFrom('contracts').select(['provider_id', 'status'])
    .where('account_id', '=', account_id).where('id', '=', contract_id).forNoKeyUpdate().executeTakeFirst()
  if (contract === undefined) throw invalid(`contract.id: there is no contract ${contract_id}`)
  if (contract.status !== 'active') throw invalid(`contract.id: ${contract_id} is ${contract.status}`)
  const other = await trx.selectFrom('listings').select('id')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('contract_id', '=', contract_id).executeTakeFirst()
  if (other !== undefined) throw new Problem('listing-exists', { detail: `it is ${other.id}`, params: { listing_id: other.id } })
  const id = await insertDistinct(trx, 'listings', () => newDigitsId('LST', 3), (id) =>
    trx.insertInto('listings').values({ account_id, id, product_id, contract_id, provider_id: contract.provider_id, status })
      .onConflict((conflict) => conflict.columns(['account_id', 'id']).doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id, type: 'listing.created', subject_id: id, actor, data: { product_id, contract_id } })
  return id
}
