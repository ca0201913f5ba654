import type { Reader } from '../../database/connect.js'
import { invalid } from '../../problems.js'
import { scopeOf } from './params.js'
import type { RequestRow } from './request-row.js'

interface Told { template_id: string | null, template_body: string | null }

const templatesOf = (db: Reader, { account_id, product_id, tier_level }: RequestRow) => db.selectFrom('product_templates').select(['id', 'body'])
  .where('account_id', '=', account_id).where('product_id', '=', product_id).where('scope', '=', scopeOf(tier_level))

/** The product's first template of a type and of the level of the request, as it is now; none where there is none. */
export async function defaultTemplate (db: Reader, request: RequestRow, type: 'fulfillment' | 'inquire'): Promise<Told> {
  const template = await templatesOf(db, request).where('type', '=', type).orderBy('position').orderBy('id').executeTakeFirst()
  return { template_id: template?.id ?? null, template_body: template?.body ?? null }
}

/**
 * The template that a vendor names.
 *
 * @throws Problem validation-failed  the product has none such of the level of the request
 */
export async function namedTemplate (db: Reader, request: RequestRow, id: string): Promise<Told> {
  const template = await templatesOf(db, request).where('id', '=', id).executeTakeFirst()
  if (template === undefined) throw invalid(`template.id: the product has no such template of scope ${scopeOf(request.tier_level)}`)
  return { template_id: template.id, template_body: template.body }
}
