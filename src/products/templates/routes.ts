import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { findTemplate, previewTemplate, templateBody, templatesOf } from './find.js'
import { TemplateChange, templateFields, NewTemplate, Template } from './schema.js'
import { createTemplate, deleteTemplate, updateTemplate } from './write.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const TemplateParams = Type.Object({ product_id, id: Type.String({ minLength: 1, maxLength: 100, examples: ['TL-123-456-789'] }) })
/** Fastify takes an answer by its content type; TypeBox has no word for it. */
const Markdown = { description: 'The text', content: { 'text/markdown': { schema: { type: 'string', examples: ['Your license: [License key]'] } } } } as unknown as TSchema
const notFound = problem('product-not-found', 'template-not-found')

export const templateRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Template)

  app.post('/products/:product_id/templates', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'createTemplate',
      tags: ['templates'],
      summary: 'Add a template to a product',
      headers: IdempotencyHeaders,
      params: ProductParams,
      body: NewTemplate,
      response: { 201: ref(Template), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, body, params } = request
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createTemplate(trx, key, body, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/products/${params.product_id}/templates/${id}`).send(await findTemplate(app.db, key, id))
  })

  app.get('/products/:product_id/templates', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listTemplates',
      tags: ['templates'],
      summary: 'List the templates of a product',
      params: ProductParams,
      querystring: listQuerySchema(templateFields),
      response: { 200: listSchema(ref(Template), 'The templates'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const key = await productKeyOf(app.db, request.account, request.params.product_id)
    return (await list(request, reply, { query: templatesOf(app.db, key), fields: templateFields, defaultOrdering: 'position' })).map(templateBody)
  })

  app.get('/products/:product_id/templates/:id', {
    config: { permission: 'products:read' },
    schema: { operationId: 'getTemplate', tags: ['templates'], summary: 'Read a template', params: TemplateParams, response: { 200: ref(Template), 404: notFound } },
  }, async ({ account, params }) => findTemplate(app.db, await productKeyOf(app.db, account, params.product_id), params.id))

  for (const [path, operationId] of [['render', 'renderTemplate'], ['preview', 'previewTemplate']] as const) {
    app.get(`/products/:product_id/templates/:id/${path}`, {
      config: { permission: 'products:read' },
      schema: {
        operationId,
        tags: ['templates'],
        summary: 'See a template with sample values',
        description: 'The titles of the parameters stand for their values. With those of a purchase it is at `/v1/requests/{id}/render`.',
        params: TemplateParams,
        response: { 200: Markdown, 404: notFound },
      },
    }, async ({ account, params }, reply) => {
      const text = await previewTemplate(app.db, await productKeyOf(app.db, account, params.product_id), params.id)
      return reply.type('text/markdown; charset=utf-8').send(text as never)
    })
  }

  app.put('/products/:product_id/templates/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateTemplate',
      tags: ['templates'],
      summary: 'Change a template',
      description: 'What is given replaces what was; the rest stays. Requests and assets that were given it keep its text as it was.',
      params: TemplateParams,
      body: TemplateChange,
      response: { 200: ref(Template), 404: notFound, 409: problem('template-in-use') },
    },
  }, async ({ account, params, body }) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => updateTemplate(trx, key, { id: params.id, change: body }, account.key_id))
    return findTemplate(app.db, key, params.id)
  })

  app.delete('/products/:product_id/templates/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'deleteTemplate',
      tags: ['templates'],
      summary: 'Delete a template',
      description: 'One that nothing shows; the last one for the fulfillment or inquiry of assets stays.',
      params: TemplateParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: notFound, 409: problem('template-in-use') },
    },
  }, async ({ account, params }, reply) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => deleteTemplate(trx, key, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
