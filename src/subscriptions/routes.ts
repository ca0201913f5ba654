import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ASSET_PARTS } from '../assets/asset-documents.js'
import { assetSchemas } from '../assets/schema.js'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema, selection } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { createBillingRequest } from './create-billing-request.js'
import { billingRequestDocuments, billingRequestsOf, findBillingRequest } from './find-billing-requests.js'
import { findRecurringAsset, recurringAssets, recurringAssetsOf } from './recurring-assets.js'
import { Attributes, BillingRequest, billingRequestFields, NewBillingRequest, RecurringAsset, recurringAssetFields, subscriptionSchemas } from './schema.js'
import { writeAttributes } from './write-attributes.js'

const AssetParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['AS-1234-5678-9012'] }) })
const BillingParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['BRP-1234-5678-9012-3456'] }) })
const tags = ['subscriptions']
const read = { permission: 'subscriptions:read' } as const
const write = { permission: 'subscriptions:write' } as const
const SELECT = 'Hidden by `select(-…)`: items, params, configuration. Added by `select(…)`: product.capabilities.'

export const subscriptionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...assetSchemas, ...subscriptionSchemas]) app.addSchema(schema)

  app.get('/subscriptions/assets', {
    config: read,
    schema: {
      operationId: 'listRecurringAssets',
      tags,
      summary: 'List assets as they are billed',
      description: `Those whose purchase was decided, the newest first. Quantities are numbers; secret parameters are left out. ${SELECT}`,
      querystring: listQuerySchema(recurringAssetFields),
      response: { 200: listSchema(ref(RecurringAsset), 'The assets'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const found = await list(request, reply, { query: recurringAssetsOf(app.db, request.account), fields: recurringAssetFields, defaultOrdering: '-created_at' })
    return recurringAssets(app.db, app.keyring, request.account, found, selection(request, ASSET_PARTS).shows)
  })

  app.get('/subscriptions/assets/:id', {
    config: read,
    schema: {
      operationId: 'getRecurringAsset',
      tags,
      summary: 'Read an asset as it is billed',
      description: SELECT,
      params: AssetParams,
      response: { 200: ref(RecurringAsset), 404: problem('asset-not-found') },
    },
  }, async (request) => {
    const asset = await findRecurringAsset(app.db, request.account, request.params.id)
    const [document] = await recurringAssets(app.db, app.keyring, request.account, [asset], selection(request, ASSET_PARTS).shows)
    return document!
  })

  app.get('/subscriptions/requests', {
    config: read,
    schema: {
      operationId: 'listBillingRequests',
      tags,
      summary: 'List billing requests',
      description: 'Those of both sides, the newest first.',
      querystring: listQuerySchema(billingRequestFields),
      response: { 200: listSchema(ref(BillingRequest), 'The billing requests'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const rows = await list(request, reply, { query: billingRequestsOf(app.db, request.account), fields: billingRequestFields, defaultOrdering: '-created_at' })
    return billingRequestDocuments(app.db, app.keyring, request.account, rows)
  })

  app.post('/subscriptions/requests', {
    config: write,
    schema: {
      operationId: 'createBillingRequest',
      tags,
      summary: 'Make a billing request',
      description: 'Says what a period of an asset is charged for. A vendor\'s is of type vendor, a provider\'s of type provider; both sides see both.',
      headers: IdempotencyHeaders,
      body: NewBillingRequest,
      response: { 201: ref(BillingRequest) },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createBillingRequest(trx, account, body), status: 201 }))
    wakeWorker()
    return reply.code(201).header('location', `/v1/subscriptions/requests/${id}`).send(await findBillingRequest(app.db, app.keyring, account, id))
  })

  app.get('/subscriptions/requests/:id', {
    config: read,
    schema: {
      operationId: 'getBillingRequest',
      tags,
      summary: 'Read a billing request',
      params: BillingParams,
      response: { 200: ref(BillingRequest), 404: problem('billing-request-not-found') },
    },
  }, async ({ account, params }) => findBillingRequest(app.db, app.keyring, account, params.id))

  app.put('/subscriptions/requests/:id/attributes', {
    config: write,
    schema: {
      operationId: 'writeBillingRequestAttributes',
      tags,
      summary: 'Note something on a billing request',
      description: 'A vendor writes `vendor`, a provider `provider`; what is given replaces what was. Answers what both note.',
      params: BillingParams,
      body: Attributes,
      response: { 200: BillingRequest.properties.attributes, 403: problem('wrong-side'), 404: problem('billing-request-not-found') },
    },
  }, async ({ account, params, body }) => inTransaction(app.db, (trx) => writeAttributes(trx, account, params.id, body)))
}
