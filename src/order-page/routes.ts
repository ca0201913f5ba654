import rateLimit from '@fastify/rate-limit'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { inTransaction } from '../database/transaction.js'
import { problem, ref } from '../plugins/schema.js'
import { invalid, Problem } from '../problems.js'
import { allowsOrigin } from './allows-origin.js'
import { PRIVATE } from './headers.js'
import { openPage, type OpenedPage } from './open-page.js'
import { readPage, unshown } from './read-page.js'
import { revealOnPage } from './reveal.js'
import { NewReveal, OrderPage, RevealedLicenses, TokenHeaders } from './schema.js'
import { showLicenses } from './show-licenses.js'

declare module 'fastify' {
  /** the order that the token of the call opened */
  interface FastifyRequest { opened_page: OpenedPage | null }
}

/** Of one address, tokens that open nothing: a person has one link, and nobody guesses 160 bits. It keeps the log readable and the work small. */
const GUESSES = { max: 20, timeWindow: 60_000 }
const PREFLIGHT_S = 600

/** What the customer of an order reads, with a token instead of an API key. */
export const orderPageRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [OrderPage, NewReveal, RevealedLicenses]) app.addSchema(schema)
  app.decorateRequest('opened_page', null)
  await app.register(rateLimit, { global: false })
  const guess = app.createRateLimit(GUESSES)

  // @fastify/cors decides before a route does, and whether an origin may read an answer depends on whose order it is
  app.addHook('onSend', async (request, reply, payload) => {
    reply.headers({ ...PRIVATE, vary: 'Origin' })
    const { origin } = request.headers
    if (origin !== undefined && await mayRead(request, origin)) reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': 'Retry-After' })
    return payload
  })

  /** An order is read by the origins of its own account; a refusal, which says nothing, by those of any, so that their scripts can tell it. */
  async function mayRead ({ opened_page }: FastifyRequest, origin: string): Promise<boolean> {
    return opened_page === null ? await allowsOrigin(app.db, origin).catch(() => false) : opened_page.allowed_origins.includes(origin)
  }

  /** The order that the call's token opens. Only what opens nothing counts, so that nobody else at his address shuts a customer out. */
  async function opened (request: FastifyRequest): Promise<OpenedPage> {
    const page = await openPage(app.db, app.keyring, request.headers['order-token'])
    request.opened_page = page ?? null
    if (page !== undefined) return page
    const counted = await guess(request)
    if (!counted.isAllowed && counted.isExceeded) throw new Problem('too-many-guesses', { headers: { 'retry-after': String(counted.ttlInSeconds) } })
    throw new Problem('order-page-not-found')
  }

  for (const url of ['/order-page', '/order-page/reveal']) {
    app.options(url, { config: { public: true }, schema: { hide: true } }, async (_request, reply) => reply.code(204).headers({
      'access-control-allow-methods': 'GET, POST', 'access-control-allow-headers': 'Content-Type, Order-Token', 'access-control-max-age': PREFLIGHT_S,
    }).send())
  }

  app.get('/order-page', {
    config: { public: true },
    schema: {
      operationId: 'getOrderPage',
      tags: ['order-page'],
      summary: 'Read an order as its customer',
      description: 'For a storefront and for the page at `/order`. No API key: the token of the link that the customer was mailed, or of `POST /v1/orders/{id}/page-link`. ' +
        'An order that was refunded, cancelled or disputed shows no line. Keys that a product shows at once count as seen from the first reading on.',
      headers: TokenHeaders,
      response: { 200: ref(OrderPage), 404: problem('order-page-not-found'), 429: problem('too-many-guesses') },
    },
  }, async (request) => {
    const page = await opened(request)
    const document = await readPage(app.db, app.keyring, page)
    const due = unshown(document)
    if (due.length === 0) return document
    await inTransaction(app.db, (trx) => showLicenses(trx, page, due))
    return readPage(app.db, app.keyring, page)
  })

  app.post('/order-page/reveal', {
    config: { public: true },
    schema: {
      operationId: 'revealOnOrderPage',
      tags: ['order-page'],
      summary: 'Show the customer keys of an order',
      description: 'Of a line or of one license. They count as seen from then on: a refund revokes them instead of selling them again. Asked again it answers the same.',
      headers: TokenHeaders,
      body: ref(NewReveal),
      response: { 200: ref(RevealedLicenses), 404: problem('order-page-not-found'), 409: problem('nothing-to-reveal'), 429: problem('too-many-guesses') },
    },
  }, async (request) => {
    const page = await opened(request)
    const { line_item_id, license_id } = request.body
    if ((line_item_id === undefined) === (license_id === undefined)) throw invalid('line_item_id: give either it or license_id')
    return { licenses: await inTransaction(app.db, (trx) => revealOnPage(trx, app.keyring, page, { line_item_id, license_id })) }
  })
}
