import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { markInformational } from './mark-informational.js'

const PRODUCT_ID = /^PRD-\d{3}-\d{3}-\d{3}$/

/**
 * Makes the names by which order lines ask for a product: its own id and these external ids, and no others.
 *
 * @throws Problem external-id-taken  by another product of the account
 * @throws Problem validation-failed  an external id that looks like an id of ours could hide a product
 */
export async function writeRefs (trx: Transaction<Database>, account_id: string, product_id: string, external_ids: readonly string[]): Promise<void> {
  const errors = external_ids.flatMap((ref, index) => PRODUCT_ID.test(ref) && ref !== product_id ? [`external_ids.${index}: looks like the id of a product; use another`] : [])
  if (errors.length > 0) throw new Problem('validation-failed', { detail: errors.join('; '), errors })
  const refs = [...new Set([product_id, ...external_ids])].sort() // in one order, so that two writers do not deadlock
  await trx.deleteFrom('product_refs').where('account_id', '=', account_id).where('product_id', '=', product_id).where('ref', 'not in', refs).execute()
  await trx.insertInto('product_refs').values(refs.map((ref) => ({ account_id, ref, product_id }))).onConflict((conflict) => conflict.doNothing()).execute()
  await markInformational(trx, { account_id, product_id })
  const others = await trx.selectFrom('product_refs').select(['ref', 'product_id'])
    .where('account_id', '=', account_id).where('ref', 'in', refs).where('product_id', '<>', product_id).execute()
  if (others.length === 0) return
  throw new Problem('external-id-taken', {
    detail: others.map((other) => `${other.product_id} has ${JSON.stringify(other.ref)}`).join('; '),
    errors: others.map((other) => `external_ids.${external_ids.indexOf(other.ref)}: ${other.product_id} has it; remove it there first`),
    params: { taken: others.map((other) => ({ external_id: other.ref, product_id: other.product_id })) },
  })
}
