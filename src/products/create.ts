import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import { checkWords, type Locales, type MailTemplate } from './check-words.js'
import { writeRefs } from './write-refs.js'

export interface NewProduct { name: string, external_ids?: string[] | undefined, mail_template: MailTemplate, locales?: Locales | undefined }

/**
 * Makes a product and returns its id.
 *
 * @throws Problem validation-failed  its words, see checkWords
 * @throws Problem external-id-taken
 */
export async function createProduct (trx: Transaction<Database>, account_id: string, product: NewProduct, actor: string): Promise<string> {
  const { name, external_ids = [], mail_template, locales = {} } = product
  const words = checkWords({ mail_template, locales }) as { mail_template: string, locales: string }
  const id = await insertWithNewId(() => newDigitsId('PRD', 3), (id) =>
    trx.insertInto('products').values({ account_id, id, name, ...words }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await writeRefs(trx, account_id, id, external_ids)
  await recordEvent(trx, { account_id, type: 'product.created', subject_id: id, actor })
  return id
}
