import { sql } from 'kysely'
import { jsonObjectFrom } from 'kysely/helpers/postgres'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { capabilitiesBody, capabilitiesOf } from './capabilities.js'
import type { AVAILABILITIES, ON_RENEWALS, ORDER_PAGES } from './schema.js'

/** Who asks: a vendor for its own products, a provider for those it is connected to. */
export interface ProductCaller { id: string, type: string }

export type ProductStatus = 'draft' | 'published' | 'endofsale'

/**
 * The products that a caller may see: a vendor its own, a provider those with a connection to it that was neither rejected nor revoked,
 * the operator none. Counts are of what the caller may see too.
 */
export function productsSeenBy (db: Reader, { id, type }: ProductCaller) {
  const seen = type === 'vendor' ? sql<boolean>`products.account_id = ${id}` : type === 'provider' ? isConnectedTo(id) : sql<boolean>`false`
  const ofCaller = type === 'provider' ? sql`and provider_id = ${id}` : sql``
  return db.selectFrom('products')
    .select([
      'products.account_id', 'products.id', 'products.name', 'products.family_name', 'products.url_to_instructions', 'products.url_to_download', 'products.mail_template', 'products.locales', 'products.version', 'products.icon',
      'products.category', 'products.short_description', 'products.detailed_description', 'products.capabilities', 'products.mail_on_request',
      'products.created_at', 'products.updated_at',
      sql<ProductStatus>`products.status`.as('status'),
      sql<typeof AVAILABILITIES[number]>`products.availability`.as('availability'),
      sql<typeof ON_RENEWALS[number]>`products.on_renewal`.as('on_renewal'),
      sql<typeof ORDER_PAGES[number]>`products.order_page`.as('order_page'),
      sql<string[]>`array(select ref from product_refs r where r.account_id = products.account_id and r.product_id = products.id
        and r.ref <> products.id order by ref)`.as('external_ids'),
      sql<number>`(select count(*)::int from listings l where l.account_id = products.account_id and l.product_id = products.id and l.status = 'listed' ${ofCaller})`.as('listings'),
      sql<number>`(select count(*)::int from connections c where c.account_id = products.account_id and c.product_id = products.id
        and c.status not in ('rejected', 'revoked') ${ofCaller})`.as('connections'),
    ])
    .select((row) => jsonObjectFrom(row.selectFrom('accounts').select(['accounts.id', 'accounts.name']).whereRef('accounts.id', '=', 'products.account_id'))
      .$notNull().as('owner'))
    .where(seen)
}

const isConnectedTo = (provider_id: string) => sql<boolean>`(products.account_id, products.id) in (
  select account_id, product_id from connections where provider_id = ${provider_id} and status not in ('rejected', 'revoked'))`

type ProductRow = Awaited<ReturnType<ReturnType<typeof productsSeenBy>['executeTakeFirstOrThrow']>>

/** A product in Connect's shape. What customers of the vendor's own shops read, and how those call it, is for the vendor alone. */
export function productBody (row: ProductRow, caller: ProductCaller) {
  const {
    account_id, external_ids, family_name, url_to_instructions, url_to_download, mail_template, locales, mail_on_request, availability, on_renewal, order_page,
    listings, connections, ...product
  } = row
  const words = { family_name, url_to_instructions, url_to_download, mail_template, locales }
  const capabilities = capabilitiesOf(row)
  const is_owner = account_id === caller.id
  return {
    ...product,
    capabilities: capabilitiesBody(product.capabilities),
    configurations: { suspend_resume_supported: capabilities.subscription_hold, requires_reseller_information: capabilities.tiers_configs > 0 },
    visibility: { owner: is_owner, listing: listings > 0 },
    stats: { listings, connections },
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
    ...(is_owner ? { external_ids, ...words, mail_on_request, availability, on_renewal, order_page } : {}),
  }
}

/**
 * A product that the caller may see.
 *
 * @throws Problem product-not-found
 */
export async function findProduct (db: Reader, caller: ProductCaller, id: string) {
  const product = await productsSeenBy(db, caller).where('products.id', '=', id).executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  return productBody(product, caller)
}

/** A product as a key of what is below it. */
export interface ProductKey { account_id: string, product_id: string }

/**
 * Whose product it is that the caller may see: for reading what is below it.
 *
 * @throws Problem product-not-found
 */
export async function productKeyOf (db: Reader, caller: ProductCaller, product_id: string): Promise<ProductKey> {
  const product = await productsSeenBy(db, caller).clearSelect().select('products.account_id').where('products.id', '=', product_id).executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  return { account_id: product.account_id, product_id }
}

/**
 * A product of the caller's own: for writing below it.
 *
 * @throws Problem product-not-found
 */
export async function ownProductKeyOf (db: Reader, { id }: ProductCaller, product_id: string): Promise<ProductKey> {
  return productKeyOf(db, { id, type: 'vendor' }, product_id)
}
