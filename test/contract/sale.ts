// The second door of a tenant: its provider sells its product, and there is one of everything that the two do with each other.
import type { Json } from '../support/sdk.js'
import { tierOf } from '../support/market.js'
import { madeBy, type Hear, type Made, type Tenant } from './tenant.js'

/** What texts of the provider's are called, and what the two have between them. */
export const shopOf = ({ name }: Pick<Tenant, 'name'>): string => `${name}SHOP`
export const saleOf = ({ name }: Pick<Tenant, 'name'>): string => `${name}SALE`

const CAPABILITIES = { cart: { validation: true }, tiers: { configs: { level: 1 }, updates: true }, subscription: { hold: true, scheduling: true } }

/** Parameters of every kind that the tests write. None is required, so that every request can be approved as it is. */
const parametersOf = (name: string): Json[] => [
  { name: 'admin_email', type: 'email', phase: 'ordering' },
  { name: 'contact', type: 'phone', phase: 'ordering' },
  { name: 'plan', type: 'dropdown', phase: 'ordering', constraints: { choices: [{ value: 'eu', label: name, default: true }], hint: name, placeholder: name, default: 'eu' } },
  { name: 'license_key', phase: 'fulfillment', secret: true },
  { name: 'remarks', phase: 'fulfillment', constraints: { shared: 'none', max_length: 2000, min_length: 0, dependency: { name } } },
  { name: 'region', phase: 'configuration', scope: 'product', secret: true },
  { name: 'company', phase: 'ordering', scope: 'tier1' },
  { name: 'partner_key', phase: 'fulfillment', scope: 'tier1', secret: true },
].map((parameter) => ({ title: name, description: name, hint: name, placeholder: name, default: undefined, ...parameter }))

/** What the vendor has: items, parameters, texts, actions and a version of its product. */
async function makeCatalogue ({ name, ids }: Tenant, byVendor: Made): Promise<void> {
  const url = `/v1/products/${ids['products'] ?? ''}`
  await byVendor('PUT', url, { capabilities: CAPABILITIES, status: 'published', icon: `https://${name}.example.com`, category: { id: name, name }, short_description: name, detailed_description: name, mail_on_request: true })
  const item = await byVendor('POST', `${url}/items`, { name, display_name: name, mpn: `${name}-SEAT`, description: name, external_id: name, period: 'monthly', unit: name, commitment: { count: 1, multiplier: name }, ui: { visibility: true } })
  const parameters: Json[] = []
  for (const parameter of parametersOf(name)) parameters.push(await byVendor('POST', `${url}/parameters`, parameter))
  const region = parameters.find((parameter) => parameter['name'] === 'region')?.['id']
  const template = await byVendor('POST', `${url}/templates`, { title: name, name, body: `${name} {{ license_key }}` })
  await byVendor('POST', `${url}/templates`, { title: name, body: `${name} {{ activation_form_url }}`, type: 'inquire' })
  await byVendor('POST', `${url}/templates`, { title: name, body: `${name} {{ partner_key }}`, scope: 'tier1' })
  await byVendor('POST', `${url}/configurations`, { parameter: { id: region }, value: name })
  const action = await byVendor('POST', `${url}/actions`, { action: 'sso', title: name, name, description: name, url: `https://${name}.example.com/sso` })
  const version = await byVendor('POST', `${url}/versions`)
  Object.assign(ids, {
    'products/items': item['id'],
    'products/parameters': parameters.find((parameter) => parameter['name'] === 'plan')?.['id'],
    'products/templates': template['id'],
    'products/configurations': region,
    'products/actions': action['id'],
    'products/versions': String(version['version']),
    'products/versions/actions': action['id'],
    'accounts/users': (await byVendor('GET', `/v1/accounts/${ids['accounts'] ?? ''}/users`))[0].id,
  })
  ids['requests/assign'] = ids['accounts/users'] as string
}

/** Where the product is sold. */
async function makeChannel (tenant: Tenant, byVendor: Made, byProvider: Made): Promise<void> {
  const { name, ids } = tenant
  const shop = shopOf(tenant)
  const product = { id: ids['products'] }
  const hub = await byProvider('POST', '/v1/hubs', { name: shop, description: shop, instance: { id: shop, type: 'API' } })
  const marketplace = await byProvider('POST', '/v1/marketplaces', { name: shop, description: shop, icon: `https://${shop}.example.com`, hub: { id: hub['id'] } })
  const contract = await byVendor('POST', '/v1/contracts', { name, marketplace: { id: marketplace['id'] }, provider: { id: tenant.provider.account_id } })
  const listing = await byVendor('POST', '/v1/listings', { product, contract: { id: contract['id'] } })
  const connection = await byVendor('POST', `/v1/products/${product.id ?? ''}/connections`, { type: 'production', provider: { id: tenant.provider.account_id }, hub: { id: hub['id'] } })
  Object.assign(ids, { hubs: hub['id'], marketplaces: marketplace['id'], contracts: contract['id'], listings: listing['id'], 'products/connections': connection['id'] })
}

/** An account of the provider's, given in full. */
export function newTierAccount (tenant: Tenant, n: number, type: string): Json {
  const sale = saleOf(tenant)
  const { contact_info, tax_id } = tierOf(sale)
  return {
    name: sale, type, external_id: `${sale}-${n}`, external_uid: `${sale}-uid-${n}`, tax_id, contact_info: { ...contact_info, address_line2: sale, state: sale }, hub: { id: tenant.ids['hubs'] },
  }
}

/** A purchase of the tenant's product, as the provider sends it. */
export function newPurchase (tenant: Tenant, n: number, other: object = {}): Json {
  const { ids } = tenant
  const sale = saleOf(tenant)
  return {
    type: 'purchase',
    note: sale,
    external_attributes: { note: sale },
    marketplace: { id: ids['marketplaces'] },
    asset: {
      connection: { id: ids['products/connections'] },
      external_id: `${sale}-${n}`,
      external_uid: `${sale}-uid-${n}`,
      items: [{ id: ids['products/items'], quantity: 2 }],
      params: [{ id: 'admin_email', value: `${sale.toLowerCase()}@example.com` }, { id: 'contact', structured_value: { country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' } }],
      tiers: { customer: { id: ids['customer'] }, tier1: { id: ids['tier/accounts'] } },
    },
    ...other,
  }
}

/** A demand to set a new reseller up. */
export function newSetup (tenant: Tenant, account_id: string, other: object = {}): Json {
  const { ids } = tenant
  return {
    type: 'setup',
    configuration: { product: { id: ids['products'] }, account: { id: account_id }, tier_level: 1, connection: { id: ids['products/connections'] } },
    notes: saleOf(tenant),
    params: [{ id: 'company', value: saleOf(tenant) }],
    ...other,
  }
}

/** A new demand for each call: `deed` is what is then done to it by the vendor. */
export async function freshRequest (tenant: Tenant, hear: Hear = () => {}, ...deeds: Array<[verb: string, body?: object]>): Promise<string> {
  const id = (await madeBy(tenant.provider.call, hear)('POST', '/v1/requests', newPurchase(tenant, ++tenant.made))).id as string
  for (const [verb, body] of deeds) await madeBy(tenant.call, hear)('POST', `/v1/requests/${id}/${verb}`, body)
  return id
}

/** The way into the form of a new demand, which the buyer is asked about. */
export async function freshForm (tenant: Tenant, hear: Hear = () => {}): Promise<{ id: string, query: string }> {
  const id = await freshRequest(tenant, hear, ['inquire', {}])
  const { params_form_url } = await madeBy(tenant.call, hear)('GET', `/v1/requests/${id}`)
  return { id, query: new URL(params_form_url).search }
}

/** A new reseller, and a demand to set it up. */
export async function freshSetup (tenant: Tenant, other: object = {}, hear: Hear = () => {}): Promise<string> {
  const byProvider = madeBy(tenant.provider.call, hear)
  const account_id = (await byProvider('POST', '/v1/tier/accounts', newTierAccount(tenant, ++tenant.made, 'reseller'))).id as string
  return (await byProvider('POST', '/v1/tier/config-requests', newSetup(tenant, account_id, other))).id
}

/** A webhook of the vendor's, to where nothing may be called. */
export const newWebhook = ({ name, ids }: Tenant): Json => ({
  label: name, description: name, object_class: 'fulfillment_request', type: 'change', product_id: ids['products'], external_url: `http://localhost:9/${name}`, active: true, headers: { 'x-name': name }, data: { name },
})

/** What was bought, and what is said about it. */
async function makeDeals (tenant: Tenant, hear: Hear): Promise<void> {
  const { ids, call, provider } = tenant
  const sale = saleOf(tenant)
  const [byVendor, byProvider] = [madeBy(call, hear), madeBy(provider.call, hear)]
  const webhook = await byVendor('POST', '/v1/notifications/webhooks', newWebhook(tenant))
  ids['customer'] = (await byProvider('POST', '/v1/tier/accounts', newTierAccount(tenant, ++tenant.made, 'customer'))).id
  const setup = await freshSetup(tenant, {}, hear)
  await byVendor('PUT', `/v1/tier/config-requests/${setup}`, { params: [{ id: 'partner_key', value: `${sale}-partner` }] })
  await byVendor('POST', `/v1/tier/config-requests/${setup}/assign`, {})
  await byVendor('POST', `/v1/tier/config-requests/${setup}/approve`, {})
  const { configuration } = await byVendor('GET', `/v1/tier/config-requests/${setup}`)
  ids['tier/configs'] = configuration.id
  ids['tier/accounts'] = configuration.account.id
  const bought = await freshRequest(tenant, hear)
  await byVendor('PUT', `/v1/requests/${bought}`, { asset: { params: [{ id: 'license_key', value: `${sale}-license` }, { id: 'remarks', value: 'VENDORONLY' }] } })
  const { asset } = await byVendor('POST', `/v1/requests/${bought}/approve`, { template_id: ids['products/templates'], asset: { billing: { next_date: '2999-01-01T00:00:00Z' } } })
  ids['assets'] = ids['subscriptions/assets'] = asset.id
  ids['bought'] = bought
  ids['requests'] = await freshRequest(tenant, hear, ['assign'], ['inquire', {}])
  ids['requests/parameters'] = 'admin_email'
  const inquired = await byVendor('PUT', `/v1/requests/${ids['requests']}`, { asset: { params: [{ id: 'admin_email', value_error: sale }] } })
  tenant.form_code = new URL(inquired['params_form_url']).searchParams.get('code') ?? ''
  ids['tier/config-requests'] = await freshSetup(tenant, {}, hear)
  await byVendor('POST', `/v1/tier/config-requests/${ids['tier/config-requests']}/inquire`)
  ids['conversations'] = (await byVendor('GET', `/v1/conversations?instance_id=${ids['requests']}`))[0].id
  ids['conversations/messages'] = (await byVendor('POST', `/v1/conversations/${ids['conversations'] ?? ''}/messages`, { text: sale })).id
  await byVendor('POST', `/v1/conversations/${ids['conversations'] ?? ''}/messages`, { text: 'VENDORONLY', type: 'private' })
  ids['subscriptions/requests'] = (await byVendor('POST', '/v1/subscriptions/requests', newBillingRequest(tenant))).id
  ids['tier/account-requests'] = (await byProvider('POST', '/v1/tier/account-requests', { type: 'update', account: { id: ids['customer'], name: `${sale} Ltd` } })).id
  ids['tier/accounts/versions'] = '1'
  ids['notifications/webhooks'] = webhook['id']
  ids['notifications/webhooks/messages'] = (await byVendor('GET', `/v1/notifications/webhooks/${webhook['id'] as string}/messages`))[0].id
}

export const newBillingRequest = (tenant: Tenant): Json => ({
  asset: { id: tenant.ids['assets'] }, period: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z', delta: 1, uom: 'monthly' }, attributes: { vendor: { note: saleOf(tenant) }, provider: { note: saleOf(tenant) } },
})

/** Makes all of that. */
export async function makeSale (tenant: Tenant, hear: Hear): Promise<void> {
  const [byVendor, byProvider] = [madeBy(tenant.call, hear), madeBy(tenant.provider.call, hear)]
  await makeCatalogue(tenant, byVendor)
  await makeChannel(tenant, byVendor, byProvider)
  await makeDeals(tenant, hear)
}

/** The product of one tenant, sold by the provider of another: another tenant, of a name of its own. */
export async function sellTo (tenant: Tenant, provider: Tenant['provider'], name: string): Promise<Tenant> {
  const sold: Tenant = { ...tenant, name, provider, ids: { ...tenant.ids } }
  await makeChannel(sold, madeBy(sold.call), madeBy(sold.provider.call))
  await makeDeals(sold, () => {})
  return sold
}
