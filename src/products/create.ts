import type { Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import { checkWords } from './check-words.js'
import type { NewProduct } from './schema.js'
import { storedProduct } from './stored.js'
import { makeDefaultTemplates } from './templates/defaults.js'
import { writeVersion } from './versions/write.js'
import { writeRefs } from './write-refs.js'
import { writeWords } from './write-words.js'

/** The mail of a product that was given none. */
const MAIL_TEMPLATE = { subject: 'Your license for {PROGRAM_NAME}', text: 'Thank you for your purchase. Your license:\n\n{KEY}' }

/**
 * Makes a product with the templates that its requests need, as its first version, and returns its id.
 *
 * @throws Problem validation-failed  its words, see checkWords
 * @throws Problem external-id-taken
 */
export async function createProduct (
  trx: Transaction<Database>, account_id: string, product: Static<typeof NewProduct>, actor: string | null
): Promise<string> {
  const { name, external_ids = [] } = product
  const words = checkWords({ mail_template: MAIL_TEMPLATE, locales: {}, ...product }, { needs_key: true }) as { mail_template: string, locales: string }
  const id = await insertWithNewId(() => newDigitsId('PRD', 3), async (id) => {
    // unique in the account by its key; a provider, who sees products of many, shall not meet one id twice either
    const taken = await trx.selectFrom('products').select('id').where('id', '=', id).executeTakeFirst()
    if (taken !== undefined) return undefined
    return trx.insertInto('products').values({ account_id, id, name, ...words, ...storedProduct(product) })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
  })
  await writeRefs(trx, account_id, id, external_ids)
  await makeDefaultTemplates(trx, { account_id, product_id: id })
  await writeVersion(trx, { account_id, product_id: id })
  await writeWords(trx, { account_id, product_id: id }, actor)
  await recordEvent(trx, { account_id, type: 'product.created', subject_id: id, actor })
  return id
}
