import { isDeepStrictEqual } from 'node:util'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { invalid, Problem } from '../problems.js'
import type { BillingCaller } from './create-billing-request.js'
import { billingRequestsOf } from './find-billing-requests.js'
import { attributesFit, type BillingRequestDocument, type GivenAttributes } from './schema.js'

/**
 * Replaces what the caller's side notes on a billing request, and returns what both note. The other side's may be posted back as it is.
 *
 * @throws Problem billing-request-not-found
 * @throws Problem wrong-side  it would change what the other side notes
 * @throws Problem validation-failed
 */
export async function writeAttributes (
  trx: Transaction<Database>, caller: BillingCaller, id: string, given: GivenAttributes
): Promise<BillingRequestDocument['attributes']> {
  const [own, other] = caller.type === 'provider' ? ['provider', 'vendor'] as const : ['vendor', 'provider'] as const
  const found = await billingRequestsOf(trx, caller).where('b.id', '=', id).forUpdate('b').executeTakeFirst()
  if (found === undefined) throw new Problem('billing-request-not-found')
  const { account_id, attributes } = found
  const theirs = given[other] ?? attributes[other]
  if (!isDeepStrictEqual(theirs, attributes[other])) throw new Problem('wrong-side', `the ${other} writes ${other}`)
  const mine = given[own]
  if (mine === undefined || mine === null || isDeepStrictEqual(mine, attributes[own])) return attributes
  if (!attributesFit(mine)) throw invalid(`${own}: is too long`)
  const written = { ...attributes, [own]: mine }
  await trx.updateTable('billing_requests').set({ attributes: JSON.stringify(written), updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id, type: 'billing_request.attributes_written', subject_id: id, actor: caller.key_id, data: { side: own } })
  return written
}
