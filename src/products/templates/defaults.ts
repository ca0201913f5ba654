import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'
import type { ProductKey } from '../find.js'

/** What a product is made with: one for each moment in which a request names a template. migrations/0007_catalogue.sql has the same. */
const DEFAULTS = [
  { title: 'Fulfillment', name: 'fulfillment', type: 'fulfillment', body: 'Thank you for your purchase. It is ready to use.' },
  { title: 'Inquiry', name: 'inquire', type: 'inquire', body: 'We need to know more before we can go on. Please fill in [this form]({{ activation_form_url }}).' },
] as const

/** Gives a new product the templates that its requests need. */
export async function makeDefaultTemplates (trx: Transaction<Database>, key: ProductKey): Promise<void> {
  for (const [index, template] of DEFAULTS.entries()) {
    await insertWithNewId(() => newDigitsId('TL', 3), (id) =>
      trx.insertInto('product_templates').values({ ...key, id, scope: 'asset', position: index + 1, ...template })
        .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  }
}
