import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { renderTemplate } from '../../parameters/render-template.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'

/** The templates of a product: for reading one and for lists. */
export function templatesOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('product_templates')
    .select(['id', 'title', 'name', 'body', 'position', 'created_at', 'updated_at', sql<'asset' | 'tier1' | 'tier2'>`scope`.as('scope'),
      sql<'fulfillment' | 'inquire' | 'pending' | null>`type`.as('type')])
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}

/** A template in Connect's shape. */
export function templateBody ({ created_at, updated_at, ...template }: Awaited<ReturnType<ReturnType<typeof templatesOf>['executeTakeFirstOrThrow']>>) {
  return { ...template, events: { created: { at: created_at }, updated: { at: updated_at } } }
}

/** @throws Problem template-not-found */
export async function findTemplate (db: Reader, key: ProductKey, id: string) {
  const template = await templatesOf(db, key).where('id', '=', id).executeTakeFirst()
  if (template === undefined) throw new Problem('template-not-found')
  return templateBody(template)
}

/**
 * The Markdown of a template with the titles of the parameters in place of their values: what a person who writes it wants to see.
 *
 * @throws Problem template-not-found
 */
export async function previewTemplate (db: Reader, key: ProductKey, id: string): Promise<string> {
  const { body } = await findTemplate(db, key, id)
  const parameters = await db.selectFrom('product_parameters').select(['name', 'title'])
    .where('account_id', '=', key.account_id).where('product_id', '=', key.product_id).execute()
  const titles = parameters.map(({ name, title }) => [name, `[${title}]`])
  return renderTemplate(body, { activation_form_url: '#', ...Object.fromEntries(titles) as Record<string, string> })
}
