import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { problem, ref } from '../../plugins/schema.js'
import { Markdown, RenderHeaders } from '../schema.js'
import { configDocuments } from './documents.js'
import { configRowsSeenBy, findConfig } from './find.js'
import { TierConfig, tierConfigFields, tierConfigSchemas } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['TC-123-456-789'] }) })
const tags = ['tiers']

export const tierConfigRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of tierConfigSchemas) app.addSchema(schema)

  app.get('/tier/configs', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'listTierConfigs',
      tags,
      summary: 'List tier configurations',
      querystring: listQuerySchema(tierConfigFields),
      response: { 200: listSchema(ref(TierConfig), 'The tier configurations'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const rows = await list(request, reply, { query: configRowsSeenBy(app.db, request.account), fields: tierConfigFields, defaultOrdering: 'created_at' })
    return configDocuments(app.db, app.keyring, request.account, rows)
  })

  app.get('/tier/configs/:id', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'getTierConfig',
      tags,
      summary: 'Read a tier configuration',
      params: IdParams,
      response: { 200: ref(TierConfig), 404: problem('tier-config-not-found') },
    },
  }, async ({ account, params }) => {
    const [document] = await configDocuments(app.db, app.keyring, account, [await findConfig(app.db, account, params.id)])
    return document!
  })

  app.get('/tier/configs/:id/render', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'renderTierConfig',
      tags,
      summary: 'Read what a reseller is told since its last approval',
      params: IdParams,
      headers: RenderHeaders,
      response: { 200: Markdown, 404: problem('tier-config-not-found') },
    },
  }, async ({ account, params, headers }, reply) => {
    const [document] = await configDocuments(app.db, app.keyring, account, [await findConfig(app.db, account, params.id)])
    const locale = headers['connect-localization']
    if (locale !== undefined) reply.header('connect-localization', locale)
    return reply.type('text/markdown; charset=utf-8').send(document?.template?.representation ?? '')
  })
}
