import { randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import { createAccount } from './accounts/create-account.js'
import { createApiKey } from './accounts/create-api-key.js'
import { PRESETS } from './accounts/permissions.js'
import type { Credential } from './bootstrap.js'
import type { Database } from './database/connect.js'
import { createConnection } from './distribution/connections/create.js'
import { createContract } from './distribution/contracts/create.js'
import { createHub } from './distribution/hubs/create.js'
import { createListing } from './distribution/listings/create.js'
import { createMarketplace } from './distribution/marketplaces/create.js'
import { createPool } from './pools/create.js'
import { createProduct } from './products/create.js'
import type { ProductKey } from './products/find.js'
import { createItem } from './products/items/write.js'
import { createParameter } from './products/parameters/write.js'
import { templatesOf } from './products/templates/find.js'
import { updateTemplate } from './products/templates/write.js'

const ACTOR = 'cli'

interface SeededProduct {
  id: string
  name: string
  item_ids: string[]
  /** ids by name */
  parameters: Record<string, string>
  template_id: string
  connection_id: string
  test_connection_id: string
  pool_id?: string
  test_pool_id?: string
}
export interface Seeded {
  vendor: Credential
  provider: Credential
  hub_id: string
  marketplace_id: string
  contract_id: string
  products: SeededProduct[]
}

/**
 * Makes a vendor and a provider that sells its two products: one that is filled from a pool by itself, and one whose licenses the
 * vendor writes by hand. Every time a new set with accounts of its own. The pools are empty yet: see {@link sampleLicenses}.
 */
export async function seed (trx: Transaction<Database>): Promise<Seeded> {
  const vendor = await accountOf(trx, 'vendor', 'Harbour Software')
  const provider = await accountOf(trx, 'provider', 'Meridian Distribution')
  const [account_id, provider_id] = [vendor.account_id, provider.account_id]
  const hub_id = await createHub(trx, { provider_id, name: 'Meridian Cloud', description: 'Sends the requests of its shops' }, ACTOR)
  const marketplace_id = await createMarketplace(trx, { provider_id, hub_id, name: 'Meridian Europe' }, ACTOR)
  const contract_id = await createContract(trx, { account_id, provider_id, marketplace_id }, ACTOR)
  const offer = { account_id, hub_id, contract_id }
  const products = [await productOf(trx, offer, 'Harbour Backup', true), await productOf(trx, offer, 'Harbour Vault', false)]
  return { vendor, provider, hub_id, marketplace_id, contract_id, products }
}

async function accountOf (trx: Transaction<Database>, type: 'vendor' | 'provider', name: string): Promise<Credential> {
  const account_id = await createAccount(trx, { type, name }, null)
  const { id, secret } = await createApiKey(trx, { account_id, name: 'sample', permissions: PRESETS[type] }, null)
  return { account_id, api_key: `${id}:${secret}` }
}

interface Offer { account_id: string, hub_id: string, contract_id: string }

async function productOf (trx: Transaction<Database>, { account_id, hub_id, contract_id }: Offer, name: string, isFilled: boolean): Promise<SeededProduct> {
  const sku = name.toLowerCase().replace(' ', '-')
  const id = await createProduct(trx, account_id, { name, external_ids: [sku], short_description: `${name} for computers that matter` }, ACTOR)
  const key = { account_id, product_id: id }
  const pools = isFilled ? await poolsOf(trx, key, name) : {}
  const item_ids = [
    await createItem(trx, key, { name: 'Workstation', mpn: `${sku}-workstation`, period: 'monthly', unit: 'Computers' }, ACTOR),
    await createItem(trx, key, { name: 'Server', mpn: `${sku}-server`, period: 'yearly', unit: 'Servers' }, ACTOR),
  ]
  const parameters = {
    admin_email: await createParameter(trx, key, { name: 'admin_email', title: 'E-mail of the administrator', type: 'email', phase: 'ordering', constraints: { required: true } }, ACTOR),
    seats_note: await createParameter(trx, key, { name: 'seats_note', title: 'Who will use it', phase: 'ordering', hint: 'Departments, for example' }, ACTOR),
    license_key: await createParameter(trx, key, { name: 'license_key', title: 'License key', phase: 'fulfillment', secret: true, constraints: { required: true }, ...pools }, ACTOR),
  }
  const template_id = await tellTheKey(trx, key, name)
  await createListing(trx, { account_id, product_id: id, contract_id }, ACTOR)
  const connection_id = await createConnection(trx, { account_id, product_id: id, hub_id, type: 'production' }, ACTOR)
  const test_connection_id = await createConnection(trx, { account_id, product_id: id, hub_id, type: 'test' }, ACTOR)
  return { id, name, item_ids, parameters, template_id, connection_id, test_connection_id, ...pools }
}

async function poolsOf (trx: Transaction<Database>, { account_id, product_id }: ProductKey, name: string): Promise<{ pool_id: string, test_pool_id: string }> {
  const pool = { product_ids: [product_id], low_stock_threshold: 5 }
  return {
    pool_id: await createPool(trx, account_id, { ...pool, name, mode: 'live' }, ACTOR),
    test_pool_id: await createPool(trx, account_id, { ...pool, name: `${name}, for tests`, mode: 'test' }, ACTOR),
  }
}

/** Has the text of an approval name the license. */
async function tellTheKey (trx: Transaction<Database>, key: ProductKey, name: string): Promise<string> {
  const { id } = await templatesOf(trx, key).where('scope', '=', 'asset').where('type', '=', 'fulfillment').executeTakeFirstOrThrow()
  await updateTemplate(trx, key, { id, change: { body: `# Welcome to ${name}\n\nYour license key: {{ license_key }}\n\nWe wrote to {{ admin_email }}.` } }, ACTOR)
  return id
}

/** Licenses to load, one per line, different each time. */
export function sampleLicenses (count: number): string {
  return Array.from({ length: count }, () => `HARB-${randomBytes(8).toString('hex').toUpperCase().replace(/(.{4})(?=.)/g, '$1-')}\n`).join('')
}
