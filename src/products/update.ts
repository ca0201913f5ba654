import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { checkWords } from './check-words.js'
import type { ProductChange } from './schema.js'
import { storedProduct } from './stored.js'
import { writeRefs } from './write-refs.js'
import { writeWords } from './write-words.js'

/**
 * Replaces what is given of a product. Mails that were not tried yet get the new words.
 *
 * @throws Problem product-not-found
 * @throws Problem validation-failed  its words, see checkWords
 * @throws Problem external-id-taken
 */
export async function updateProduct (
  trx: Transaction<Database>, { account_id, id, change }: { account_id: string, id: string, change: Static<typeof ProductChange> }, actor: string
): Promise<void> {
  const { name, external_ids } = change
  const { is_informational, ...before } = await lockWords(trx, account_id, id)
  const columns = { ...(name === undefined ? {} : { name }), ...checkWords(change, { needs_key: !is_informational, before }), ...storedProduct(change) }
  await trx.updateTable('products').set({ updated_at: sql<Date>`now()`, ...columns }).where('account_id', '=', account_id).where('id', '=', id).execute()
  if (external_ids !== undefined) await writeRefs(trx, account_id, id, external_ids)
  await writeWords(trx, { account_id, product_id: id }, actor)
  const fields = [...Object.keys(columns), ...(external_ids === undefined ? [] : ['external_ids'])]
  await recordEvent(trx, { account_id, type: 'product.updated', subject_id: id, actor, data: { fields } })
}

/** The words as they are, locked, and whether all that the product hands over is a mail. */
async function lockWords (trx: Transaction<Database>, account_id: string, id: string) {
  const words = await trx.selectFrom('products').select(['mail_template', 'locales']).where('account_id', '=', account_id).where('id', '=', id)
    .forNoKeyUpdate().executeTakeFirst()
  if (words === undefined) throw new Problem('product-not-found')
  const { is_informational } = await trx.selectFrom('product_refs').select('is_informational').where('account_id', '=', account_id).where('ref', '=', id).executeTakeFirstOrThrow()
  return { ...words, is_informational }
}
