import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { findAction, actionBody, actionsOf } from './find.js'
import { Action, ActionChange, actionFields, ActionLink, ActionWithSecret, LinkQuery, NewAction } from './schema.js'
import { linkOfAction } from './link.js'
import { createAction, deleteAction, updateAction } from './write.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const ActionParams = Type.Object({ product_id, id: Type.String({ minLength: 1, maxLength: 100, examples: ['ACT-123-456-789'] }) })
const notFound = problem('product-not-found', 'action-not-found')

export const actionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [Action, ActionWithSecret, ActionLink]) app.addSchema(schema)

  app.post('/products/:product_id/actions', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'createAction',
      tags: ['actions'],
      summary: 'Add an action to a product',
      description: 'The answer holds the secret that signs its links, once.',
      headers: IdempotencyHeaders,
      params: ProductParams,
      body: NewAction,
      response: { 201: ref(ActionWithSecret), 404: problem('product-not-found'), 409: problem('name-taken') },
    },
  }, async (request, reply) => {
    const { account, body, params } = request
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const { id, secret = '' } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await createAction(trx, app.keyring, key, body, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/products/${params.product_id}/actions/${id}`).header('cache-control', 'no-store')
      .send({ ...await findAction(app.db, key, id, true), secret })
  })

  app.get('/products/:product_id/actions', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listActions',
      tags: ['actions'],
      summary: 'List the actions of a product',
      params: ProductParams,
      querystring: listQuerySchema(actionFields),
      response: { 200: listSchema(ref(Action), 'The actions'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, params } = request
    const key = await productKeyOf(app.db, account, params.product_id)
    const actions = await list(request, reply, { query: actionsOf(app.db, key), fields: actionFields, defaultOrdering: 'created_at' })
    return actions.map((action) => actionBody(action, key.account_id === account.id))
  })

  app.get('/products/:product_id/actions/:id', {
    config: { permission: 'products:read' },
    schema: { operationId: 'getAction', tags: ['actions'], summary: 'Read an action', params: ActionParams, response: { 200: ref(Action), 404: notFound } },
  }, async ({ account, params }) => {
    const key = await productKeyOf(app.db, account, params.product_id)
    return findAction(app.db, key, params.id, key.account_id === account.id)
  })

  app.get('/products/:product_id/actions/:id/actionLink', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getActionLink',
      tags: ['actions'],
      summary: 'Make a link of an action',
      description: 'For an asset or tier configuration of yours. The `jwt` in its query is signed by HS256 with the secret of the action.',
      params: ActionParams,
      querystring: LinkQuery,
      response: { 200: ref(ActionLink), 404: problem('product-not-found', 'action-not-found', 'asset-not-found', 'tier-config-not-found') },
    },
  }, async ({ account, params, query }, reply) => {
    const key = await productKeyOf(app.db, account, params.product_id)
    reply.header('cache-control', 'no-store')
    const link = await linkOfAction(app.db, { keyring: app.keyring, issuer: app.config.public_url }, { ...query, caller: account, key, id: params.id })
    return { link }
  })

  app.put('/products/:product_id/actions/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateAction',
      tags: ['actions'],
      summary: 'Change an action',
      description: 'What is given replaces what was; the rest stays. Links that are under way are no longer signed right after a change of the secret.',
      params: ActionParams,
      body: ActionChange,
      response: { 200: ref(Action), 404: notFound, 409: problem('name-taken') },
    },
  }, async ({ account, params, body }) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => updateAction(trx, app.keyring, key, { id: params.id, change: body }, account.key_id))
    return findAction(app.db, key, params.id, true)
  })

  app.delete('/products/:product_id/actions/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'deleteAction',
      tags: ['actions'],
      summary: 'Delete an action',
      description: 'It leads nowhere from now on, in no version.',
      params: ActionParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: notFound },
    },
  }, async ({ account, params }, reply) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => deleteAction(trx, key, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
