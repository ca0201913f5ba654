// Rows of a product that a provider sells, and of purchases of it, for tests whose subject is not how such rows come about.
import { sql, type Kysely, type SqlBool } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newDigitsId, partId } from '../../src/ids.js'
import { writeWords } from '../../src/products/write-words.js'

/** How values are written where who writes and who else has them is not the subject. */
export const AS_VENDOR = { mode: 'strict', side: 'vendor', others: sql<SqlBool>`false` } as const

export interface Sale {
  account_id: string
  provider_id: string
  product_id: string
  hub_id: string
  marketplace_id: string
  contract_id: string
  connection_id: string
  template_id: string
  /** two items: monthly seats, and a traffic that is paid as used */
  items: [string, string]
  /** PRM ids by name */
  parameters: Record<string, string>
}

export interface NewParameter {
  name: string
  type?: string
  phase?: 'ordering' | 'fulfillment' | 'configuration'
  scope?: string
  secret?: boolean
  constraints?: object
}

/** An ordering parameter, a fulfillment parameter that is secret, and one that the vendor keeps from the provider. */
const PARAMETERS: NewParameter[] = [
  { name: 'admin_email', type: 'email', constraints: { required: true } },
  { name: 'license_key', phase: 'fulfillment', secret: true, constraints: { required: true } },
  { name: 'internal_id', phase: 'fulfillment', constraints: { shared: 'none' } },
]

const BODY = 'Key {{ license_key }} for {{admin_email}}, {{ internal_id }}{{ nobody }}.'

const CONTACT_INFO = {
  address_line1: '12 St James Square',
  address_line2: '',
  city: 'London',
  state: '',
  postal_code: 'SW1Y 4JH',
  country: 'GB',
  contact: { first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com', phone_number: { country_code: '', area_code: '', phone_number: '', extension: '' } },
}

/** A product of the vendor's, listed and connected for the provider. */
export async function saleOf (
  db: Kysely<Database>, { account_id, provider_id, name = 'Front Street Pro', parameters = PARAMETERS }:
  { account_id: string, provider_id: string, name?: string, parameters?: NewParameter[] }
): Promise<Sale> {
  const product_id = newDigitsId('PRD', 3)
  const [hub_id, marketplace_id, contract_id] = [newDigitsId('HB', 2, 4), newDigitsId('MP', 1, 5), newDigitsId('CRD', 3, 5)]
  const [connection_id, template_id] = [newDigitsId('CT', 3, 4), newDigitsId('TL', 3)]
  const items: [string, string] = [partId(product_id, 'PRD', 1, 4), partId(product_id, 'PRD', 2, 4)]
  const rows = parameters.map(({ name, type = 'text', phase = 'ordering', scope = 'asset', secret = false, constraints = {} }, position) => ({
    account_id, product_id, id: partId(product_id, 'PRM', position + 1, 4), name, title: `Title of ${name}`, type, scope, phase, secret, position, constraints: JSON.stringify(constraints),
  }))
  await db.insertInto('products').values({ account_id, id: product_id, name, mail_template: JSON.stringify({ subject: 'Key', text: '{KEY}' }) }).execute()
  await inTransaction(db, (trx) => writeWords(trx, { account_id, product_id }, null))
  await db.insertInto('product_items').values([
    { account_id, product_id, id: items[0], local_id: 'seats', mpn: 'SEATS', name: 'Seats', display_name: 'Seats', period: 'monthly', unit: 'Seats', position: 1 },
    { account_id, product_id, id: items[1], local_id: 'traffic', mpn: 'TRAFFIC', name: 'Traffic', display_name: 'Traffic', type: 'ppu', unit: 'GB', position: 2 },
  ]).execute()
  await db.insertInto('product_parameters').values(rows).execute()
  await db.insertInto('product_templates').values({ account_id, product_id, id: template_id, title: 'Welcome', name: 'Welcome', body: BODY, scope: 'asset', type: 'fulfillment' }).execute()
  await db.insertInto('hubs').values({ provider_id, id: hub_id, name: 'Hub' }).execute()
  await db.insertInto('marketplaces').values({ provider_id, id: marketplace_id, hub_id, name: 'Marketplace' }).execute()
  await db.insertInto('contracts').values({ account_id, id: contract_id, provider_id, marketplace_id, name: 'Contract' }).execute()
  await db.insertInto('connections').values({ account_id, id: connection_id, product_id, provider_id, hub_id, type: 'production' }).execute()
  const ids = Object.fromEntries(rows.map(({ name, id }) => [name, id]))
  return { account_id, provider_id, product_id, hub_id, marketplace_id, contract_id, connection_id, template_id, items, parameters: ids }
}

export interface Purchase { asset_id: string, request_id: string }

/** A purchase of ten seats; of an asset that is processing it is pending, of others it is approved. Values are written by the test. */
export async function purchaseOf (
  db: Kysely<Database>, sale: Sale, { status = 'active', external_id = 'order-1001', ...other }: { status?: string, external_id?: string, created_at?: Date } = {}
): Promise<Purchase> {
  const { account_id, provider_id, product_id, connection_id, marketplace_id, contract_id, template_id, items } = sale
  const asset_id = newDigitsId('AS', 3, 4)
  const request_id = partId(asset_id, 'PR', 1, 3)
  const customer_id = newDigitsId('TA', 3, 4)
  const isApproved = !['draft', 'processing'].includes(status)
  await db.insertInto('tier_accounts').values({
    provider_id, id: customer_id, name: 'Analytical Engines', type: 'customer', external_uid: customer_id, contact_info: JSON.stringify(CONTACT_INFO),
  }).execute()
  await db.insertInto('assets').values({
    account_id,
    id: asset_id,
    provider_id,
    connection_id,
    product_id,
    status,
    external_id,
    external_uid: asset_id,
    marketplace_id,
    contract_id,
    customer_id,
    requests_made: 1,
    ...other,
    ...(isApproved ? { template_id, template_body: BODY } : {}),
  }).execute()
  await db.insertInto('asset_items').values({ account_id, asset_id, item_id: items[0], quantity: 10 }).execute()
  await db.insertInto('requests').values({
    account_id,
    id: request_id,
    asset_id,
    provider_id,
    product_id,
    type: 'purchase',
    template_id,
    status: status === 'draft' ? 'draft' : isApproved ? 'approved' : 'pending',
    ...(isApproved ? { effective_date: new Date() } : {}),
  }).execute()
  await db.insertInto('request_items').values({ account_id, request_id, item_id: items[0], quantity: 10, old_quantity: 0 }).execute()
  return { asset_id, request_id }
}
