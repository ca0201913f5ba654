import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Deletes a vendor's listing under which nothing was sold.
 *
 * @throws Problem listing-not-found
 * @throws Problem in-use
 */
export async function deleteListing (trx: Transaction<Database>, { account_id, id }: { account_id: string, id: string }, actor: string): Promise<void> {
  const { rows: [sold] } = await sql`
    select from listings l join assets a on a.account_id = l.account_id and a.contract_id = l.contract_id and a.product_id = l.product_id
    where l.account_id = ${account_id} and l.id = ${id} limit 1`.execute(trx)
  if (sold !== undefined) throw new Problem('in-use', 'the product was sold there; set its status to unlisted instead')
  const { numDeletedRows } = await trx.deleteFrom('listings').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst()
  if (numDeletedRows === 0n) throw new Problem('listing-not-found')
  await recordEvent(trx, { account_id, type: 'listing.deleted', subject_id: id, actor })
}
