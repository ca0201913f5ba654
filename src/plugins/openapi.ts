import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { problems, type ProblemType } from '../problems.js'
import { LISTS } from './rql/index.js'
import { problem, ProblemBody, problemUri } from './schema.js'
import { shareRefusals } from './shared-refusals.js'

const TAGS = {
  accounts: 'Whose data it is: the operator, vendors and providers',
  'api-keys': 'Credentials of an account; the secret is shown once',
  products: 'What a vendor sells, and the mail that hands over its keys',
  items: 'What can be ordered of a product',
  'product-parameters': 'What a product asks for: the buyer answers, or the vendor while fulfilling',
  templates: 'What buyers are told, in Markdown',
  configurations: 'Values that a vendor sets up beforehand',
  actions: 'Links that lead from an asset to pages of the vendor\'s',
  versions: 'Products as they were published',
  distribution: 'Who may sell what: hubs and marketplaces of providers, contracts, listings and connections of vendors',
  pools: 'Stock of interchangeable licenses, and which order lines it serves',
  supplies: 'Where licenses come from when a pool is short, and the calls for them',
  licenses: 'License keys: loaded, listed masked, revealed, withdrawn',
  batches: 'Loads of licenses',
  recalls: 'Batches that are bad: withdrawn, and replaced where they were sold',
  holds: 'Licenses set aside for checkout sessions that are not paid yet, and what is in stock',
  orders: 'Paid purchases and what they were given',
  'order-page': 'What the customer of an order sees of it, by a token instead of an API key',
  'payment-sources': 'Checkouts that post payment webhooks',
  payments: 'Webhooks of checkouts',
  'payment-events': 'Webhooks as received, with their outcome',
  requests: 'What providers ask for and vendors fulfill: purchases, changes, suspensions, cancellations',
  assets: 'Purchases and their present state, as requests made them',
  conversations: 'The talk of vendor and provider about a request',
  subscriptions: 'Assets as they are billed, and what is charged for a period',
  mails: 'What mails say: the words of products by version, what stands around them, previews',
  deliveries: 'Mails that hand keys to customers',
  erasures: 'Personal data erased on request or after a time',
  tiers: 'Customers and resellers of providers, and how resellers are set up for a product',
  webhooks: 'URLs that are called when something changes',
  alerts: 'What a vendor should know: pools that run short, mails that did not arrive',
  events: 'The audit trail',
  health: 'For load balancers and container engines',
}

/** The refusals that a route may give because of what it is; its own are in its schema. */
function commonProblems ({ config, schema, method }: RouteOptions): Record<string, ProblemType[]> {
  const readsBody = method !== 'GET' // also where none is asked for
  const takesInput = readsBody || schema?.querystring !== undefined || schema?.params !== undefined || schema?.headers !== undefined
  return {
    ...(takesInput ? { 400: ['validation-failed', 'text-not-storable', ...(readsBody ? ['malformed-json' as const] : [])] } : {}),
    ...(config?.permission === undefined ? {} : { 401: ['unauthorized'], 403: ['forbidden'] }),
    ...(readsBody ? { 408: ['request-timeout'], 413: ['payload-too-large'], 415: ['unsupported-media-type'] } : {}),
    ...(method === 'POST' && schema?.headers !== undefined ? { 409: ['still-running'], 422: ['idempotency-key-reused'] } : {}),
    500: ['internal-error'],
    503: ['unavailable'],
  }
}

const typesIn = (response: unknown): ProblemType[] => {
  const examples = (response as { content?: { 'application/json'?: { examples?: object } } } | undefined)?.content?.['application/json']?.examples ?? {}
  return Object.keys(examples).filter((type): type is ProblemType => type in problems)
}

/** Completes a route for the document: common refusals, the permission, the security. */
export function documented (schema: FastifySchema | undefined, route: RouteOptions): FastifySchema {
  const permission = route.config?.permission
  const response: Record<string, unknown> = { ...schema?.response as object }
  for (const [status, types] of Object.entries(commonProblems(route))) {
    const declared = response[status]
    if (declared !== undefined && typesIn(declared).length === 0) continue // the route has its own body for this status
    response[status] = problem(...new Set([...typesIn(declared), ...types]))
  }
  return {
    ...schema,
    response,
    ...(permission === undefined
      ? { security: schema?.security ?? [] }
      : { description: `${schema?.description ?? ''}\n\nPermission: \`${permission}\`.`.trim(), security: [{ ApiKey: [] }, { Bearer: [] }] }),
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** The page that the `type` of a refusal leads to. */
function problemsPage (): string {
  const items = Object.entries(problems).map(([type, { status, error_code, title }]) =>
    `<h2 id="${type}">${type}</h2><p>${status}, <code>${error_code}</code>: ${escaped(title)}</p>`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Refusals</title><h1>Refusals of the API</h1>${items.join('\n')}</html>`
}

/** The OpenAPI 3.1 document at /openapi.json and its reader at /docs. */
export const openapi = fp(async (app: FastifyInstance, { version }: { version: string }) => {
  app.addSchema(ProblemBody)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Latchkey',
        version,
        description: 'Hands each paying customer exactly the license keys that were paid for, once, and proves it.\n\n' +
          'Bodies and answers are JSON in UTF-8, names are snake_case, times ISO 8601 in UTC, money integer minor units. ' +
          `Of duplicate members in a JSON object the last counts.\n\n${LISTS}`,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This service' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          ApiKey: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`ApiKey SU-000-000-000:<secret>`' },
          Bearer: { type: 'http', scheme: 'bearer', description: 'The same value: `Bearer SU-000-000-000:<secret>`' },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}` },
    transform: ({ schema, url, route }) => ({ schema: documented(schema, route), url }),
    transformObject: (made) => 'openapiObject' in made ? shareRefusals(made.openapiObject) : made.swaggerObject,
  })
  const css = [{ filename: 'latchkey.css', content: '.swagger-ui .topbar { display: none }' }]
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { deepLinking: true }, theme: { title: 'Latchkey API', css } })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  app.get(problemUri('x' as ProblemType).replace(/#.*/, ''), { schema: { hide: true } }, async (_request, reply) => reply.type('text/html; charset=utf-8').send(problemsPage()))
}, { name: 'openapi' })
