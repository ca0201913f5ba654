// What a client may rely on in a success: every operation, answered in full, against the schemas of the OpenAPI document.
import t from 'tap'
import { MailRefused, type MailTransport } from '../../src/mailer/transport.js'
import { startWorker } from '../../src/worker.js'
import { testApp } from '../support/app.js'
import { receiver } from '../support/receiver.js'
import { until } from '../support/until.js'
import { contractOf, type Operation, type Schema } from './document.js'
import { sidesOf } from './needs.js'
import { fillTheRest } from './rest.js'
import { makeTenant, newOrder, signed, type Hear } from './tenant.js'
import { requestOf } from './valid-requests.js'

/** Fields of requests that answers show in another form: under another name, masked, completed, or as a moment in UTC. */
const NOT_ECHOED = new Set([
  'product', 'product_id', 'type', 'unit', 'headers', 'jwt_secret', 'owner', 'default', 'quantity', 'period', 'provider', 'billing', 'customer', 'tier1', 'tier2', 'template_id', 'parameter',
  'api_key', 'expires_in_s', 'expires_others_in_s',
])
/** Of these a body is a deed, or the answer is another thing. */
const NOT_SHOWN = [
  'refundOrder', 'cancelOrder', 'reconcilePaymentSource', 'withdrawLicense', 'replaceLicense', 'revokeLicense', 'recallBatch', 'approveTierConfigRequest', 'failTierConfigRequest', 'assignTierConfigRequest', 'assignRequest', 'rotateWebhookSecret', 'pendRequest', 'createBillingRequest',
  'resendOrder', 'simulateOrder', 'previewMail', 'reportBounce', 'createMailDkim', 'revealOnOrderPage', 'eraseCustomer',
]
/**
 * Documented, and null in every answer here. Only the repeat of an Idempotency-Key could show a key that was revoked since, a secret that
 * another took over from, or a new webhook that something has happened to. Nothing writes the last two yet.
 */
const ALWAYS_NULL = /^(ApiKeyWithSecret\.revoked_at|PaymentSourceSecretWithSecret\.expires_at|WebhookWithSecret\.(modified_|disabled_|earliest_|last_).*|Webhook\.last_success\.errors)$/

const isOfParameters = (value: unknown): value is Array<{ id: string }> => Array.isArray(value) && value.some((one) => typeof one === 'object' && ('value' in one || 'structured_value' in one || 'structured_error' in one))

/** The paths of what a client gave and the answer does not show: the renderer drops silently what its schema does not name. */
function missing (given: unknown, shown: unknown, path: string): string[] {
  if (isOfParameters(given) && isOfParameters(shown)) return given.flatMap((one) => missing(one, shown.find(({ id }) => id === one.id), `${path}.${one.id}`))
  if (typeof given !== 'object' || given === null) return given === shown ? [] : [`${path}: ${JSON.stringify(given)} became ${JSON.stringify(shown)}`]
  return Object.entries(given).flatMap(([name, value]) =>
    NOT_ECHOED.has(name) ? [] : missing(value, (shown as Record<string, unknown> | undefined)?.[name], `${path}.${name}`))
}

/** Notes which of the documented properties an answer shows with something in them, as `Schema.property`. */
function noteShown (shown: Set<string>, schemas: Record<string, Schema>, schema: Schema, value: unknown, name: string): void {
  const to = schema.$ref?.replace('#/components/schemas/', '')
  if (to !== undefined) return noteShown(shown, schemas, schemas[to] as Schema, value, to)
  if (Array.isArray(value)) for (const one of value) noteShown(shown, schemas, schema.items ?? {}, one, name)
  else if (typeof value === 'object' && value !== null) {
    for (const [property, inner] of Object.entries(schema.properties ?? {})) {
      const held = (value as Record<string, unknown>)[property]
      if (held === undefined || held === null || (Array.isArray(held) && held.length === 0)) continue
      shown.add(`${name}.${property}`)
      noteShown(shown, schemas, inner, held, `${name}.${property}`)
    }
  }
}

/** Every property that a schema documents, in the same form. */
function documentedIn (schemas: Record<string, Schema>, schema: Schema, name: string): string[] {
  const to = schema.$ref?.replace('#/components/schemas/', '')
  if (to !== undefined) return documentedIn(schemas, schemas[to] as Schema, to)
  if (schema.items !== undefined) return documentedIn(schemas, schema.items, name)
  return Object.entries(schema.properties ?? {}).flatMap(([property, inner]) => [`${name}.${property}`, ...documentedIn(schemas, inner, `${name}.${property}`)])
}

// Guarantee: each operation answers exactly what is documented: nothing besides, nothing missing, each documented property filled somewhere,
// and what a client wrote is shown back to it.
t.test('a whole scenario', async (t) => {
  const service = await testApp(t, { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8', WORKER_POLL_MS: '50' })
  const hook = await receiver(t)
  const { app, db, config, keyring, operator } = service
  const { operations, schemas, faultOf } = contractOf(app)
  const shown = new Set<string>()
  const answered = new Set<string>()
  const hear = (operation: Operation, status: number, body: unknown, given: unknown): void => {
    t.ok(status < 300, `${operation.id} ${status}`)
    t.equal(faultOf(operation, status, body), undefined, `${operation.id} ${status} answers what is documented`)
    noteShown(shown, schemas, operation.answers[status] ?? {}, body, operation.id)
    if (typeof given === 'object' && !NOT_SHOWN.includes(operation.id)) t.strictSame(missing(given, body, ''), [], `${operation.id}: what was given is shown`)
    answered.add(`${operation.id} ${status}`)
  }
  const operationAt = (method: string, url: string): Operation =>
    operations.find((one) => one.method === method && new RegExp(`^${one.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(url.split('?')[0] as string))!
  const call = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object | string, authorization = tenant.authorization): Promise<unknown> => {
    const type = typeof payload === 'string' ? { 'content-type': 'text/plain' } : {}
    const answer = await app.inject({ method, url, headers: { authorization, ...type }, ...(payload === undefined ? {} : { payload }) })
    const body: unknown = answer.body === '' ? undefined : answer.json()
    hear(operationAt(method, url), answer.statusCode, body, payload)
    if (answer.statusCode !== 204) t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    return body
  }
  const hearCall: Hear = (method, url, payload, status, body) => { hear(operationAt(method, url), status, body, payload) }
  const tenant = await makeTenant(service, 'OWNER', hearCall)

  // one mail is put off, the other sent
  let tries = 0
  const transport: MailTransport = {
    async send ({ to }) {
      if (++tries === 1 || to.address.startsWith('later@')) throw new MailRefused('deferred', '451 4.7.1 try again later')
      return '250 2.0.0 Ok'
    },
  }
  const quiet = { info () {}, warn () {}, error () {} }
  const work = () => startWorker({ db, config, keyring, log: quiet, transport })
  let worker = work()
  t.teardown(() => worker.stop(0))
  await until('both tries', async () => (await db.selectFrom('delivery_attempts').select('delivery_id').where('outcome', 'is not', null).execute()).length === 2)

  await call('POST', `/v1/orders/${tenant.ids['orders'] ?? ''}/resend`)
  const [resent] = await call('GET', '/v1/deliveries?reason=resend') as Array<{ id: string }>
  for (const { id } of await call('GET', '/v1/deliveries') as Array<{ id: string }>) await call('GET', `/v1/deliveries/${id}`)
  t.ok(resent)
  await call('POST', '/v1/orders', newOrder(tenant, 'OWNER-1')) // again
  await call('POST', `/v1/pools/${tenant.ids['pools'] ?? ''}/licenses?dry_run=true`, 'A-KEY-OF-A-DRY-RUN')
  const failed = await app.inject(signed(tenant, { type: 'order.paid', data: { ...newOrder(tenant, 'OWNER-3'), line_items: [{ product: 'unknown', quantity: 1 }] } }))
  t.equal(failed.statusCode, 202)
  hear(operationAt('POST', '/v1/payments/PS-1'), 202, failed.json(), undefined)
  const [line] = (await call('GET', `/v1/orders/${tenant.ids['orders'] ?? ''}`) as { line_items: Array<{ licenses: Array<{ id: string }> }> }).line_items
  await call('GET', `/v1/licenses/${line?.licenses[0]?.id ?? ''}`)
  await call('POST', `/v1/licenses/${line?.licenses[0]?.id ?? ''}/reveal`)

  await worker.stop(0) // a recall could be done before it is cancelled
  for (const operation of operations) {
    const sides = sidesOf(operation.id).map((side) => side === 'vendor' ? tenant : tenant.provider)
    for (const { authorization } of sides.length === 0 ? [operator] : sides) {
      const request = await requestOf(operation, tenant)
      const answer = await app.inject({ ...request, headers: { ...request.headers, authorization } })
      const json = request.headers['content-type'] === 'application/json' && typeof request.payload === 'string'
      const isText = answer.body !== '' && !String(answer.headers['content-type']).startsWith('application/json')
      if (isText) t.match(answer.headers['content-type'], 'text/markdown')
      hear(operation, answer.statusCode, answer.body === '' || isText ? undefined : answer.json(), json ? JSON.parse(request.payload as string) : undefined)
    }
  }
  worker = work()
  await fillTheRest(service, tenant, hook, hearCall)
  await call('GET', '/v1/api-keys', undefined, operator.authorization)
  await call('GET', '/v1/batches')
  await call('GET', '/v1/payment-events')
  await call('GET', '/v1/orders')

  const successes = operations.flatMap(({ id, answers }) => Object.keys(answers).filter((status) => Number(status) < 300).map((status) => `${id} ${status}`))
  t.strictSame([...answered].sort(), successes.sort(), 'every documented success was answered')
  const documented = operations.flatMap(({ id, answers }) => Object.entries(answers).flatMap(([status, schema]) =>
    Number(status) >= 300 || schema === null ? [] : documentedIn(schemas, schema, id)))
  t.strictSame([...new Set(documented)].filter((property) => !shown.has(property) && !ALWAYS_NULL.test(property)).sort(), [], 'and every documented property was filled in one of them')
})
