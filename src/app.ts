import { randomUUID } from 'node:crypto'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Config } from './config.js'
import type { Database } from './database/connect.js'
import { accountRoutes } from './accounts/routes.js'
import { alertRoutes } from './alerts/routes.js'
import { assetRoutes } from './assets/routes.js'
import { conversationRoutes } from './conversations/routes.js'
import { buildLogger, type Logger } from './log.js'
import { bounceRoutes } from './deliveries/bounces/routes.js'
import { deliveryRoutes } from './deliveries/routes.js'
import { mailSettingsRoutes } from './deliveries/settings/routes.js'
import { connectionRoutes } from './distribution/connections/routes.js'
import { contractRoutes } from './distribution/contracts/routes.js'
import { hubRoutes } from './distribution/hubs/routes.js'
import { listingRoutes } from './distribution/listings/routes.js'
import { marketplaceRoutes } from './distribution/marketplaces/routes.js'
import { erasureRoutes } from './erasures/routes.js'
import { eventRoutes } from './events/routes.js'
import { holdRoutes } from './holds/routes.js'
import { licenseRoutes } from './licenses/routes.js'
import type { Intake } from './orders/intake.js'
import { orderPageLinkRoutes } from './order-page/link-routes.js'
import { orderPageFileRoutes } from './order-page/page-routes.js'
import { orderPageRoutes } from './order-page/routes.js'
import { orderPageSettingsRoutes } from './order-page/settings-routes.js'
import { orderRoutes } from './orders/routes.js'
import { simulateRoutes } from './orders/simulate/routes.js'
import { paymentReplayRoutes } from './payments/replay-routes.js'
import { paymentRoutes } from './payments/routes.js'
import { sourceSecretRoutes } from './payments/secret-routes.js'
import { paymentSourceRoutes } from './payments/source-routes.js'
import { authentication } from './plugins/authentication.js'
import { schemaController } from './plugins/compilers.js'
import { connectTimes } from './plugins/connect-times.js'
import { connections } from './plugins/connections.js'
import { health } from './plugins/health.js'
import { jsonBody } from './plugins/json-body.js'
import { openapi } from './plugins/openapi.js'
import { clientErrorHandler, problemReplies, sendProblem } from './plugins/problems.js'
import { requestLog } from './plugins/request-log.js'
import { poolRoutes } from './pools/routes.js'
import { actionRoutes } from './products/actions/routes.js'
import { configurationRoutes } from './products/configurations/routes.js'
import { itemRoutes } from './products/items/routes.js'
import { parameterRoutes } from './products/parameters/routes.js'
import { productRoutes } from './products/routes.js'
import { templateRoutes } from './products/templates/routes.js'
import { versionRoutes } from './products/versions/routes.js'
import { recallRoutes } from './recalls/routes.js'
import { requestFormRoutes } from './requests/form-routes.js'
import { requestMoveRoutes } from './requests/move-routes.js'
import { requestParameterRoutes } from './requests/parameter-routes.js'
import { requestRoutes } from './requests/routes.js'
import type { Keyring } from './sealing.js'
import { subscriptionRoutes } from './subscriptions/routes.js'
import { supplyRoutes } from './supplies/routes.js'
import { accountRequestRoutes } from './tiers/account-requests/routes.js'
import { tierAccountRoutes } from './tiers/accounts/routes.js'
import { tierConfigRequestMoveRoutes } from './tiers/config-requests/move-routes.js'
import { tierConfigRequestRoutes } from './tiers/config-requests/routes.js'
import { tierConfigRoutes } from './tiers/configs/routes.js'
import { version } from './version.js'
import { wordsRoutes } from './words/routes.js'
import { webhookMessageRoutes } from './webhooks/message-routes.js'
import { webhookRoutes } from './webhooks/routes.js'

declare module 'fastify' {
  interface FastifyInstance { config: Config, db: Kysely<Database>, keyring: Keyring }
}

export interface Parts { config: Config, db: Kysely<Database>, keyring: Keyring, intake: Intake, logger?: Logger }

const BODY_BYTES_MAX = 1024 * 1024 // an order of 1,000 lines is a tenth of it; loads are streamed and have their own limit
const CHECK_INTERVAL_MS = 500 // node looks for late headers this often; its default of 30 s would be the real limit

/** The resources that Connect has: its shapes, and its way to write a time. */
const CONNECT_ROUTES = [
  accountRoutes,
  productRoutes, itemRoutes, parameterRoutes, templateRoutes, configurationRoutes, actionRoutes, versionRoutes,
  hubRoutes, marketplaceRoutes, contractRoutes, listingRoutes, connectionRoutes,
  tierAccountRoutes, accountRequestRoutes, tierConfigRoutes, tierConfigRequestRoutes, tierConfigRequestMoveRoutes,
  assetRoutes, requestRoutes, requestMoveRoutes, requestFormRoutes, requestParameterRoutes,
  subscriptionRoutes, conversationRoutes, webhookRoutes, webhookMessageRoutes,
]

/** The HTTP service, every plugin and resource in order. Listens to nothing yet and needs no database to be built. */
export async function buildApp ({ config, db, keyring, intake, logger = buildLogger(config) }: Parts): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    schemaController,
    bodyLimit: BODY_BYTES_MAX,
    trustProxy: config.trusted_proxies.length > 0 && [...config.trusted_proxies],
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 255 },
    http: { headersTimeout: config.request_timeout_ms, requestTimeout: 0, connectionsCheckingInterval: CHECK_INTERVAL_MS },
    return503OnClosing: false, // what arrives on an open connection while closing is served, and the connection closed
    frameworkErrors: (error, request, reply) => { sendProblem(error, request, reply) },
    clientErrorHandler,
  })
  app.decorate('config', config).decorate('db', db).decorate('keyring', keyring)

  await app.register(requestLog)
  await app.register(connections, config)
  await app.register(problemReplies)
  await app.register(jsonBody)
  await app.register(openapi, { version: version() })
  await app.register(authentication)
  await app.register(health)
  await app.register(async (connect) => {
    connectTimes(connect)
    for (const routes of CONNECT_ROUTES) await connect.register(routes)
  }, { prefix: '/v1' })
  await app.register(poolRoutes, { prefix: '/v1' })
  await app.register(holdRoutes, { prefix: '/v1' })
  await app.register(orderRoutes, { prefix: '/v1', intake })
  await app.register(simulateRoutes, { prefix: '/v1' })
  await app.register(orderPageRoutes, { prefix: '/v1' })
  await app.register(orderPageLinkRoutes, { prefix: '/v1' })
  await app.register(orderPageSettingsRoutes, { prefix: '/v1' })
  await app.register(orderPageFileRoutes)
  await app.register(paymentRoutes, { prefix: '/v1', intake })
  await app.register(paymentReplayRoutes, { prefix: '/v1' })
  await app.register(paymentSourceRoutes, { prefix: '/v1' })
  await app.register(sourceSecretRoutes, { prefix: '/v1' })
  await app.register(supplyRoutes, { prefix: '/v1' })
  await app.register(wordsRoutes, { prefix: '/v1' })
  await app.register(deliveryRoutes, { prefix: '/v1' })
  await app.register(bounceRoutes, { prefix: '/v1' })
  await app.register(mailSettingsRoutes, { prefix: '/v1' })
  await app.register(alertRoutes, { prefix: '/v1' })
  await app.register(eventRoutes, { prefix: '/v1' })
  await app.register(licenseRoutes, { prefix: '/v1' })
  await app.register(recallRoutes, { prefix: '/v1' })
  await app.register(erasureRoutes, { prefix: '/v1' })
  return app
}
