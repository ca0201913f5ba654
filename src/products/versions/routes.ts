import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { linkOfAction } from '../actions/link.js'
import { Action, ActionLink, LinkQuery } from '../actions/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { ProductItem } from '../items/schema.js'
import { ProductParameter } from '../parameters/schema.js'
import { Template } from '../templates/schema.js'
import { findVersion, findVersionAction, versionActionsOf, versionBody, versionsOf } from './find.js'
import { ProductVersion, versionActionFields, versionFields } from './schema.js'
import { publishVersion } from './write.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const version = Type.Integer({ minimum: 1, maximum: 2_147_483_647, examples: [1] })
const id = Type.String({ minLength: 1, maxLength: 100, examples: ['ACT-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const VersionParams = Type.Object({ product_id, version })
const ActionParams = Type.Object({ product_id, version, id })
const notFound = problem('product-not-found', 'version-not-found')

export const versionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ProductItem, ProductParameter, Template, Action, ActionLink, ProductVersion]) app.addSchema(schema)

  app.post('/products/:product_id/versions', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'publishVersion',
      tags: ['versions'],
      summary: 'Publish a product',
      description: 'Keeps the product as it is now under the next version, for others to compare. Requests go by the product as it is at any time. No body.',
      headers: IdempotencyHeaders,
      params: ProductParams,
      response: { 201: ref(ProductVersion), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, params } = request
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const made = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: String(await publishVersion(trx, key, account.key_id)), status: 201 }))
    return reply.code(201).header('location', `/v1/products/${params.product_id}/versions/${made.id}`).send(await findVersion(app.db, key, Number(made.id)))
  })

  app.get('/products/:product_id/versions', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listVersions',
      tags: ['versions'],
      summary: 'List the versions of a product',
      params: ProductParams,
      querystring: listQuerySchema(versionFields),
      response: { 200: listSchema(ref(ProductVersion), 'The versions'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const key = await productKeyOf(app.db, request.account, request.params.product_id)
    return (await list(request, reply, { query: versionsOf(app.db, key), fields: versionFields, defaultOrdering: 'id' })).map(versionBody)
  })

  app.get('/products/:product_id/versions/:version', {
    config: { permission: 'products:read' },
    schema: { operationId: 'getVersion', tags: ['versions'], summary: 'Read a version', params: VersionParams, response: { 200: ref(ProductVersion), 404: notFound } },
  }, async ({ account, params }) => findVersion(app.db, await productKeyOf(app.db, account, params.product_id), params.version))

  app.get('/products/:product_id/versions/:version/actions', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listVersionActions',
      tags: ['versions'],
      summary: 'List the actions of a version',
      params: VersionParams,
      querystring: listQuerySchema(versionActionFields),
      response: { 200: listSchema(ref(Action), 'The actions'), 400: problem('query-invalid'), 404: notFound },
    },
  }, async (request, reply) => {
    const { account, params: { product_id, version } } = request
    const key = await productKeyOf(app.db, account, product_id)
    await findVersion(app.db, key, version)
    const actions = await list(request, reply, { query: versionActionsOf(app.db, key, version), fields: versionActionFields })
    return actions.map(({ body }) => body)
  })

  app.get('/products/:product_id/versions/:version/actions/:id', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getVersionAction',
      tags: ['versions'],
      summary: 'Read an action of a version',
      params: ActionParams,
      response: { 200: ref(Action), 404: problem('product-not-found', 'version-not-found', 'action-not-found') },
    },
  }, async ({ account, params }) => findVersionAction(app.db, await productKeyOf(app.db, account, params.product_id), params.version, params.id))

  app.get('/products/:product_id/versions/:version/actions/:id/actionLink', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getVersionActionLink',
      tags: ['versions'],
      summary: 'Make a link of an action of a version',
      description: 'To where the action leads now.',
      params: ActionParams,
      querystring: LinkQuery,
      response: { 200: ref(ActionLink), 404: problem('product-not-found', 'version-not-found', 'action-not-found', 'asset-not-found', 'tier-config-not-found') },
    },
  }, async ({ account, params, query }, reply) => {
    const key = await productKeyOf(app.db, account, params.product_id)
    await findVersionAction(app.db, key, params.version, params.id)
    reply.header('cache-control', 'no-store')
    const link = await linkOfAction(app.db, { keyring: app.keyring, issuer: app.config.public_url }, { ...query, caller: account, key, id: params.id })
    return { link }
  })
}
