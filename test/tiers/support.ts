// A vendor, its product and a provider's connection, written straight into the database: the tiers are what is tested.
import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newDigitsId } from '../../src/ids.js'
import { writeWords } from '../../src/products/write-words.js'
import type { TierScope } from '../../src/tiers/accounts/schema.js'
import { resolveTier } from '../../src/tiers/accounts/resolve-tier.js'
import { testAccount, type TestAccount } from '../support/app.js'
import { tierOf } from '../support/market.js'

export interface Sale {
  db: Kysely<Database>
  vendor: TestAccount
  provider: TestAccount
  product_id: string
  connection_id: string
  hub_id: string
  marketplace_id: string
}

export async function saleOf (db: Kysely<Database>, vendor: TestAccount, options: { provider?: TestAccount, capabilities?: object } = {}): Promise<Sale> {
  const { provider = await testAccount(db, 'provider'), capabilities = {} } = options
  const [account_id, provider_id] = [vendor.account_id, provider.account_id]
  const [product_id, connection_id, hub_id, marketplace_id] = [newDigitsId('PRD', 3), newDigitsId('CT', 3, 4), newDigitsId('HB', 2, 4), newDigitsId('MP', 1, 5)]
  await db.insertInto('products').values({ account_id, id: product_id, name: 'Pro', mail_template: '{}', capabilities: JSON.stringify(capabilities) }).execute()
  await inTransaction(db, (trx) => writeWords(trx, { account_id, product_id }, null))
  await db.insertInto('hubs').values({ provider_id, id: hub_id, name: 'Hub' }).execute()
  await db.insertInto('marketplaces').values({ provider_id, id: marketplace_id, hub_id, name: 'Shop' }).execute()
  await db.insertInto('connections').values({ account_id, id: connection_id, product_id, provider_id, hub_id, type: 'production' }).execute()
  return { db, vendor, provider, product_id, connection_id, hub_id, marketplace_id }
}

/** An account of the provider's, as a purchase makes it; `given`: what is said of it. */
export async function tierAccountOf ({ db, provider }: Pick<Sale, 'db' | 'provider'>, role: TierScope, given: object = tierOf('Analytical Engines')): Promise<string> {
  return await inTransaction(db, (trx) => resolveTier(trx, { provider_id: provider.account_id, role, ref: given, path: `asset.tiers.${role}` }, null)) ?? ''
}

/** An asset sold to and through these accounts. */
export async function assetOf (sale: Sale, tiers: { customer_id?: string, tier1_id?: string, tier2_id?: string }, status = 'active'): Promise<string> {
  const { db, vendor, provider, product_id, connection_id, marketplace_id } = sale
  const id = newDigitsId('AS', 3, 4)
  await db.insertInto('assets').values({
    account_id: vendor.account_id, id, provider_id: provider.account_id, connection_id, product_id, marketplace_id, status, external_uid: id, ...tiers,
  }).execute()
  return id
}

/** The product sets up resellers of both levels: what each is asked for, and what it is told. */
export async function askResellers ({ db, vendor, product_id }: Sale): Promise<Record<'tier1' | 'tier2' | 'inquire', string>> {
  const account_id = vendor.account_id
  let position = 0
  const parameter = (name: string, scope: string, phase: string, other: object = {}) =>
    ({ account_id, product_id, id: newDigitsId('PRM', 4), name, title: name, type: 'text', scope, phase, constraints: '{"required": true}', position: position++, ...other })
  await db.insertInto('product_parameters').values([
    parameter('company', 'tier1', 'ordering'),
    parameter('partner_key', 'tier1', 'fulfillment', { secret: true }),
    parameter('region', 'tier2', 'fulfillment'),
    parameter('seats', 'asset', 'ordering'),
    parameter('terms_url', 'product', 'configuration', { id: 'PRM-TERMS' }),
  ]).execute()
  await db.insertInto('product_configurations').values({ account_id, product_id, parameter_id: 'PRM-TERMS', value: 'https://example.com/terms' }).execute()
  const [tier1, tier2, inquire] = [newDigitsId('TL', 3), newDigitsId('TL', 3), newDigitsId('TL', 3)]
  await db.insertInto('product_templates').values([
    { account_id, product_id, id: tier1, title: 'Set up', name: 'Set up', body: 'Key {{ partner_key }} of {{ company }}', scope: 'tier1', type: 'fulfillment' },
    { account_id, product_id, id: tier2, title: 'Region', name: 'Region', body: 'Region {{ region }}', scope: 'tier2', type: 'fulfillment' },
    { account_id, product_id, id: inquire, title: 'Ask', name: 'Ask', body: 'Which company?', scope: 'tier1', type: 'inquire' },
  ]).execute()
  return { tier1, tier2, inquire }
}
