// A valid request for every operation of the document, for who may make it.
import { PARAMETERS, PARAMETERS_OF_RENEWALS, PARAMETERS_ON_DEMAND } from '../../src/supplies/schema.js'
import type { Json } from '../support/sdk.js'
import type { Operation } from './document.js'
import { freshForm, freshRequest, freshSetup, newBillingRequest, newPurchase, newTierAccount, newWebhook, saleOf, shopOf } from './sale.js'
import { freshRecall, holdOf, madeBy, mailTemplateOf, NEVER, newOrder, signed, type Made, type Tenant, type ValidRequest } from './tenant.js'

const letters = (n: number): string => [676, 26, 1].map((place) => String.fromCharCode(65 + Math.floor(n / place) % 26)).join('')
const byVendor = ({ call }: Tenant): Made => madeBy(call)
const byProvider = ({ provider }: Tenant): Made => madeBy(provider.call)
const made = async (by: Made, url: string, payload?: object): Promise<string> => (await by('POST', url, payload))['id']
const below = ({ ids }: Tenant, what: string): string => `/v1/products/${ids['products'] ?? ''}/${what}`

const newProduct = ({ name }: Tenant, n: number): Json => ({
  name, family_name: name, url_to_instructions: `https://${name}.example.com/start`, url_to_download: null, external_ids: [`${name}-${n}`], mail_template: mailTemplateOf(name),
})
const newItem = ({ name }: Tenant, n: number): Json => ({ name, mpn: `${name}-${n}`, unit: name })
const newParameter = ({ name }: Tenant, n: number): Json => ({ name: `p${n}`, title: name, phase: 'ordering' })
const newTemplate = ({ name }: Tenant): Json => ({ title: name, body: name })
const newAction = ({ name }: Tenant, n: number): Json => ({ action: `a${n}`, title: name, url: `https://${name}.example.com/sso` })
/** The operator says whose it is; of a provider it is not looked at. */
const newHub = (tenant: Tenant): Json => ({ name: shopOf(tenant), owner: { id: tenant.provider.account_id } })
const newMarketplace = (tenant: Tenant): Json => ({ ...newHub(tenant), hub: { id: tenant.ids['hubs'] } })
const newContract = async (tenant: Tenant): Promise<Json> => ({
  name: tenant.name,
  marketplace: { id: await made(byProvider(tenant), '/v1/marketplaces', newMarketplace(tenant)) },
  provider: { id: tenant.provider.account_id },
})
const newListing = async (tenant: Tenant, n: number): Promise<Json> =>
  ({ product: { id: await made(byVendor(tenant), '/v1/products', newProduct(tenant, n)) }, contract: { id: tenant.ids['contracts'] } })
const newConnection = ({ provider }: Tenant): Json => ({ type: 'test', provider: { id: provider.account_id } })
const accountChange = (tenant: Tenant, n: number): Json => ({ type: 'update', account: { id: tenant.ids['customer'], name: `${saleOf(tenant)} ${n}` } })
const suspendDraft = (tenant: Tenant): Json => ({ type: 'suspend', status: 'draft', asset: { id: tenant.ids['assets'] } })
const adminEmail = (tenant: Tenant): Json => ({ id: 'admin_email', value: `${saleOf(tenant).toLowerCase()}@example.com` })
const inquiry = (tenant: Tenant): Json => ({ note: saleOf(tenant), asset: { params: [adminEmail(tenant)] } })
const newSource = ({ name, product_ref }: Tenant): Json => ({
  kind: 'standard-webhooks', name, mode: 'test', product_map: { [name]: product_ref, shirt: null }, api_url: `https://${name}.example.com`, tolerance_s: 60, on_dispute: 'none', allowed_networks: ['203.0.113.0/24'],
})
/** One of each type, with all that each can have but a secret. */
const newSupplies = ({ name, ids }: Tenant): Json[] => [
  { type: 'pool', modes: ['live'], pool_id: ids['pools'] },
  {
    type: 'web_service',
    per: 'line',
    url: `https://${name}.example.com/keys`,
    method: 'GET',
    encoding: 'utf-8',
    names: Object.fromEntries([...PARAMETERS, ...PARAMETERS_OF_RENEWALS, ...PARAMETERS_ON_DEMAND].map((parameter) => [parameter, `${name}_${parameter}`])),
    temporary_pattern: name,
    timeout_s: 5,
  },
  { type: 'emulator', per: 'line', behaviour: 'stall', timeout_s: 5 },
  { type: 'information', subject: name, text: name },
]
const inTime = { planned_date: '2999-01-01T00:00:00+00:00' }

/** By operation: a body that is accepted however often it comes. An operation with a body that is not here fails the tests: add it. */
const BODIES: Record<string, (tenant: Tenant, n: number) => object | string | Promise<object>> = {
  createAccount: ({ name }) => ({ name, type: 'vendor', brand: name, external_id: name, countries: ['GB'] }),
  renameAccount: ({ name }) => ({ name }),
  createApiKey: ({ name }) => ({ name, permissions: ['api-keys:write'] }),
  createProduct: newProduct,
  updateProduct: ({ name, product_ref }) => ({ name, external_ids: [product_ref], mail_template: mailTemplateOf(name) }),
  createItem: newItem,
  updateItem: ({ name }) => ({ name }),
  createParameter: newParameter,
  updateParameter: ({ name }) => ({ title: name }),
  createTemplate: newTemplate,
  updateTemplate: ({ name }) => ({ title: name }),
  setConfiguration: ({ name, ids }) => ({ parameter: { id: ids['products/configurations'] }, value: name }),
  replaceConfiguration: ({ name }) => ({ value: name }),
  createAction: newAction,
  updateAction: ({ name }) => ({ title: name }),
  createHub: newHub,
  updateHub: (tenant) => ({ name: shopOf(tenant) }),
  createMarketplace: newMarketplace,
  updateMarketplace: (tenant) => ({ name: shopOf(tenant) }),
  createContract: newContract,
  updateContract: ({ name }) => ({ name }),
  createListing: newListing,
  updateListing: () => ({ status: 'listed' }),
  createConnection: newConnection,
  updateConnection: () => ({ status: 'active' }),
  replaceSupplies: newSupplies,
  createPool: ({ name, ids }, n) => ({ name, product_ids: [ids['products']], mode: 'test', currency: letters(n) }),
  updatePool: ({ name }) => ({ name, low_stock_threshold: 5, low_stock_percents: [50, 10], low_stock_days: 7, pick: 'soonest', min_remaining_days: 1 }),
  createHold: ({ name, product_ref }, n) => ({ ...holdOf(product_ref), external_id: `${name}-hold-${n}` }),
  placeOrder: (tenant, n) => ({ ...newOrder(tenant, `${tenant.name}-${n}`), line_items: [{ product: tenant.product_ref, quantity: 1, unit_amount: 4900 }] }),
  refundOrder: ({ name }) => ({ lines: [{ external_id: `${name}-line`, quantity: 1 }], amount: 4900, reason: name }),
  cancelOrder: ({ name }) => ({ reason: name }),
  simulateOrder: (tenant, n) => newOrder(tenant, `${tenant.name}-simulated-${n}`),
  replaceMailWrapper: ({ name }) => ({ texts: { default: { signature: name }, de: { greeting: `${name} {FNAME}`, details: '', signature: name } } }),
  previewMail: ({ name }) => ({ mail_template: mailTemplateOf(name), locale: 'de', quantity: 2 }),
  replaceOrderPageSettings: ({ name }) => ({ days: 30, allowed_origins: [`https://${name.toLowerCase()}.example.com`] }),
  createPaymentSource: newSource,
  changePaymentSource: ({ name }) => ({ name }),
  addPaymentSourceSecret: () => ({ expires_others_in_s: 0 }),
  replayPaymentEvents: ({ ids }) => ({ source_id: ids['payment-sources'], ...NEVER }),
  reconcilePaymentSource: ({ name }) => ({ external_ids: [`${name}-1`, name], paid_from: '2020-01-01T00:00:00Z' }),
  loadLicenses: ({ name }, n) => `${name}-LOADED-${String(n).padStart(8, '0')}`,
  withdrawLicense: ({ name }) => ({ reason: name }),
  replaceLicense: ({ name }) => ({ reason: name }),
  revokeLicense: ({ name }) => ({ reason: name }),
  eraseCustomer: ({ name }, n) => ({ email: `${name}-${n}-nobody@example.com`, reason: name, force: true }),
  replaceRetentionSettings: () => ({ customer_days: 3650, payment_event_days: 365 }),
  recallBatch: ({ name }) => ({ reason: name, dry_run: true }),
  createTierAccount: (tenant, n) => newTierAccount(tenant, n, 'customer'),
  updateTierAccount: (tenant) => ({ name: saleOf(tenant) }),
  createTierAccountRequest: accountChange,
  acceptTierAccountRequest: () => ({}),
  ignoreTierAccountRequest: (tenant) => ({ reason: saleOf(tenant) }),
  createTierConfigRequest: (tenant) => ({ status: 'draft', configuration: { id: tenant.ids['tier/configs'] }, notes: saleOf(tenant) }),
  updateTierConfigRequest: (tenant) => ({ notes: saleOf(tenant), params: [{ id: 'company', value: saleOf(tenant) }] }),
  submitTierConfigRequest: () => ({}),
  validateTierConfigRequest: (tenant) => ({ params: [{ id: 'company', value: saleOf(tenant) }] }),
  approveTierConfigRequest: () => ({}),
  failTierConfigRequest: (tenant) => ({ reason: saleOf(tenant) }),
  assignTierConfigRequest: () => ({}),
  createRequest: (tenant, n) => newPurchase(tenant, n),
  updateRequest: inquiry,
  validateRequest: inquiry,
  submitRequest: () => ({}),
  approveRequest: ({ ids }) => ({ template_id: ids['products/templates'], effective_date: '2026-01-31T10:15:00+00:00' }),
  failRequest: (tenant) => ({ reason: saleOf(tenant) }),
  inquireRequest: () => ({}),
  scheduleRequest: () => inTime,
  revokeRequest: (tenant) => ({ reason: saleOf(tenant) }),
  assignRequest: () => ({}),
  pendRequest: (tenant) => ({ params: [adminEmail(tenant)] }),
  writeRequestParameter: adminEmail,
  createBillingRequest: newBillingRequest,
  writeBillingRequestAttributes: () => ({}),
  postMessage: (tenant) => ({ text: saleOf(tenant) }),
  updateMessage: (tenant) => ({ text: saleOf(tenant) }),
  createWebhook: newWebhook,
  updateWebhook: ({ name }) => ({ label: name }),
  reportBounce: ({ name }) => ({ message_id: `<${name}@elsewhere.example>`, action: 'failed', status: '5.1.1', diagnostic: '550 5.1.1 no such user' }),
  setMailSettings: ({ name }) => ({ from: { name, address: `${name.toLowerCase()}@example.com` }, reply_to: `help-${name.toLowerCase()}@example.com`, rate_per_second: 100 }),
  createMailDkim: () => ({ domain: 'example.com', selector: 's1' }),
  resendOrder: ({ name }) => ({ line_items: [`${name}-line`] }),
  setAlertSettings: ({ name }) => ({ addresses: [`${name.toLowerCase()}@example.com`], muted: ['batch.expiring'], expiring_days: 7 }),
  rotateWebhookSecret: () => ({ overlap_hours: 1 }),
}
const forAsset = ({ ids }: Tenant): string => `?asset_id=${ids['assets'] ?? ''}`
const QUERIES: Record<string, (tenant: Tenant) => string> = {
  getAvailability: () => '?currency=EUR',
  explainPoolRoute: ({ ids }) => `?product=${ids['products'] ?? ''}&currency=EUR`,
  getActionLink: forAsset,
  getVersionActionLink: forAsset,
  getInquiryForm: ({ form_code }) => `?code=${form_code}`,
}

/** A license that an order holds. */
async function deliveredLicense (tenant: Tenant, external_id: string): Promise<string> {
  const order = await byVendor(tenant)('POST', '/v1/orders', newOrder(tenant, external_id))
  return order['line_items'][0].licenses[0].id
}

/** Another secret of the tenant's source; there may be ten, and those that were made before are not needed. */
async function freshSecret (tenant: Tenant): Promise<string> {
  const url = `/v1/payment-sources/${tenant.ids['payment-sources'] ?? ''}/secrets`
  const [, ...older] = (await tenant.call('GET', url)).json<Array<{ id: string }>>()
  for (const { id } of older) await tenant.call('DELETE', `${url}/${id}`)
  return made(byVendor(tenant), url, {})
}

/** What can be done to a thing once only gets a new one each time. */
const ONCE: Record<string, (tenant: Tenant, n: number) => Promise<string>> = {
  revokeApiKey: async (tenant) => made(byVendor(tenant), '/v1/api-keys', { name: tenant.name, permissions: ['events:read'] }),
  deletePaymentSource: async (tenant) => made(byVendor(tenant), '/v1/payment-sources', { kind: 'standard-webhooks', name: tenant.name }),
  addPaymentSourceSecret: async (tenant) => made(byVendor(tenant), '/v1/payment-sources', { kind: 'standard-webhooks', name: tenant.name }),
  deletePaymentSourceSecret: async (tenant) => freshSecret(tenant),
  resendOrder: async (tenant, n) => made(byVendor(tenant), '/v1/orders', newOrder(tenant, `${tenant.name}-resend-${n}`)),
  refundOrder: async (tenant, n) => made(byVendor(tenant), '/v1/orders', newOrder(tenant, `${tenant.name}-refund-${n}`)),
  cancelOrder: async (tenant, n) => made(byVendor(tenant), '/v1/orders', newOrder(tenant, `${tenant.name}-cancel-${n}`)),
  releaseHold: async (tenant) => made(byVendor(tenant), '/v1/holds', holdOf(tenant.product_ref)),
  withdrawLicense: async ({ in_stock }) => in_stock.pop() ?? '',
  replaceLicense: async (tenant, n) => deliveredLicense(tenant, `${tenant.name}-replace-${n}`),
  revokeLicense: async (tenant, n) => deliveredLicense(tenant, `${tenant.name}-revoke-${n}`),
  cancelRecall: async (tenant) => freshRecall(byVendor(tenant), tenant.name),
  deleteProduct: async (tenant, n) => made(byVendor(tenant), '/v1/products', newProduct(tenant, n)),
  deleteItem: async (tenant, n) => made(byVendor(tenant), below(tenant, 'items'), newItem(tenant, n)),
  deleteParameter: async (tenant, n) => made(byVendor(tenant), below(tenant, 'parameters'), newParameter(tenant, n)),
  deleteTemplate: async (tenant) => made(byVendor(tenant), below(tenant, 'templates'), newTemplate(tenant)),
  deleteAction: async (tenant, n) => made(byVendor(tenant), below(tenant, 'actions'), newAction(tenant, n)),
  deleteHub: async (tenant) => made(byProvider(tenant), '/v1/hubs', newHub(tenant)),
  deleteMarketplace: async (tenant) => made(byProvider(tenant), '/v1/marketplaces', newMarketplace(tenant)),
  deleteContract: async (tenant) => made(byVendor(tenant), '/v1/contracts', await newContract(tenant)),
  deleteListing: async (tenant, n) => made(byVendor(tenant), '/v1/listings', await newListing(tenant, n)),
  deleteConnection: async (tenant) => made(byVendor(tenant), below(tenant, 'connections'), newConnection(tenant)),
  deleteTierAccount: async (tenant, n) => made(byProvider(tenant), '/v1/tier/accounts', newTierAccount(tenant, n, 'customer')),
  acceptTierAccountRequest: async (tenant, n) => made(byProvider(tenant), '/v1/tier/account-requests', accountChange(tenant, n)),
  ignoreTierAccountRequest: async (tenant, n) => made(byProvider(tenant), '/v1/tier/account-requests', accountChange(tenant, n)),
  submitTierConfigRequest: async (tenant) => freshSetup(tenant, { status: 'draft' }),
  approveTierConfigRequest: async (tenant) => freshSetup(tenant),
  failTierConfigRequest: async (tenant) => freshSetup(tenant),
  inquireTierConfigRequest: async (tenant) => freshSetup(tenant),
  pendTierConfigRequest: async (tenant) => {
    const id = await freshSetup(tenant)
    await byVendor(tenant)('POST', `/v1/tier/config-requests/${id}/inquire`)
    return id
  },
  deleteRequest: async (tenant, n) => made(byProvider(tenant), '/v1/requests', newPurchase(tenant, n, { status: 'draft' })),
  purchaseRequest: async (tenant, n) => made(byProvider(tenant), '/v1/requests', newPurchase(tenant, n, { status: 'draft' })),
  submitRequest: async (tenant) => {
    const { asset } = await byVendor(tenant)('GET', `/v1/requests/${await freshRequest(tenant, undefined, ['approve', {}])}`)
    return made(byProvider(tenant), '/v1/requests', { ...suspendDraft(tenant), asset: { id: asset.id } })
  },
  approveRequest: async (tenant) => freshRequest(tenant),
  failRequest: async (tenant) => freshRequest(tenant),
  inquireRequest: async (tenant) => freshRequest(tenant),
  scheduleRequest: async (tenant) => freshRequest(tenant),
  revokeRequest: async (tenant) => freshRequest(tenant, undefined, ['schedule', inTime]),
  confirmRequest: async (tenant) => {
    const id = await freshRequest(tenant, undefined, ['schedule', inTime])
    await byProvider(tenant)('POST', `/v1/requests/${id}/revoke`, { reason: saleOf(tenant) })
    return id
  },
  pendRequest: async (tenant) => freshRequest(tenant, undefined, ['inquire', {}]),
  closeConversation: async (tenant) => freshRequest(tenant),
  deleteWebhook: async (tenant) => made(byVendor(tenant), '/v1/notifications/webhooks', { ...newWebhook(tenant), active: false }),
}

/** Where a path names one thing: `tier/accounts` of `/v1/tier/accounts/{id}/versions`. */
const placeOf = (path: string, param: string): string => path.slice('/v1/'.length, path.indexOf(`/{${param}}`)).replace(/\/\{\w+\}/g, '')

/** The path of an operation with the tenant's ids; `id`: of the last thing that it names. */
export function pathOf ({ path }: Operation, { ids }: Tenant, id?: string): string {
  const params = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
  return params.reduce((url, name, i) => {
    const place = placeOf(path, name)
    const value = (i === params.length - 1 ? id : undefined) ?? ids[place]
    if (value === undefined) throw new Error(`the tenant has no ${place}: add one in test/contract/sale.ts`)
    return url.replace(`{${name}}`, value)
  }, path)
}

/** What the customer of the tenant's order asks for, with a link that its vendor made. */
async function ofCustomer ({ method, path, id }: Operation, tenant: Tenant): Promise<ValidRequest> {
  const order_id = tenant.ids['orders'] as string
  const { token } = await byVendor(tenant)('POST', `/v1/orders/${order_id}/page-link`)
  if (id === 'getOrderPage') return { method, url: path, headers: { 'order-token': token } }
  return { method, url: path, headers: { 'order-token': token, 'content-type': 'application/json' }, payload: JSON.stringify({ line_item_id: `${order_id}-1` }) }
}

/** A request that the service must grant to the tenant or to its provider, without credentials. */
export async function requestOf (operation: Operation, tenant: Tenant): Promise<ValidRequest> {
  const n = ++tenant.made
  if (operation.id === 'receivePayment') return signed(tenant, { type: 'order.paid', data: newOrder(tenant, `${tenant.name}-${n}`) })
  if (operation.id === 'sendInquiryForm') {
    const { id, query } = await freshForm(tenant)
    return { method: 'POST', url: `/v1/requests/${id}/form${query}`, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' }
  }
  if (operation.collection === 'order-page') return ofCustomer(operation, tenant)
  const id = await ONCE[operation.id]?.(tenant, n)
  const request: ValidRequest = { method: operation.method, url: `${pathOf(operation, tenant, id)}${QUERIES[operation.id]?.(tenant) ?? ''}`, headers: {} }
  if (Object.keys(operation.bodies).length === 0) return request
  const body = await BODIES[operation.id]?.(tenant, n)
  if (body === undefined) throw new Error(`${operation.id} has no valid body in test/contract/valid-requests.ts: add one`)
  const type = typeof body === 'string' ? 'text/plain' : 'application/json'
  return { ...request, headers: { 'content-type': type }, payload: typeof body === 'string' ? body : JSON.stringify(body) }
}
