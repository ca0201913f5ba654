import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { list, listWith, listQuerySchema, listSchema, selection, selectQuerySchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { ASSET_PARTS, assetDocuments } from './asset-documents.js'
import { assetRequestsOf } from './asset-requests.js'
import { assetsListedFor, findAsset } from './find-asset.js'
import { renderAsset } from './render-asset.js'
import { Asset, assetFields, AssetRequest, assetRequestFields, assetSchemas } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['AS-1234-5678-9012'] }) })
const config = { permission: 'requests:read' } as const

export const assetRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...assetSchemas, AssetRequest]) app.addSchema(schema)

  app.get('/assets', {
    config,
    schema: {
      operationId: 'listAssets',
      tags: ['assets'],
      summary: 'List assets',
      description: 'The newest first. A vendor is not shown drafts.',
      querystring: listQuerySchema(assetFields, ASSET_PARTS),
      response: { 200: listSchema(ref(Asset), 'The assets'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const { shows } = selection(request, ASSET_PARTS)
    return listWith(request, reply, { query: assetsListedFor(app.db, request.account), fields: assetFields, defaultOrdering: '-created_at' }, async (rows) =>
      (await assetDocuments(app.db, app.keyring, request.account, rows, shows)).map(({ document }) => document))
  })

  app.get('/assets/:id', {
    config,
    schema: {
      operationId: 'getAsset',
      tags: ['assets'],
      summary: 'Read an asset',
      description: 'The items as last approved, the parameters as they are: of an asset that is processing, those of its purchase. ' +
        'Secret parameters are in clear.',
      params: IdParams,
      querystring: selectQuerySchema(ASSET_PARTS),
      response: { 200: ref(Asset), 400: problem('query-invalid'), 404: problem('asset-not-found') },
    },
  }, async (request) => {
    const asset = await findAsset(app.db, request.account, request.params.id)
    const [view] = await assetDocuments(app.db, app.keyring, request.account, [asset], selection(request, ASSET_PARTS).shows)
    return view!.document
  })

  app.get('/assets/:id/requests', {
    config,
    schema: {
      operationId: 'listAssetRequests',
      tags: ['assets'],
      summary: 'List the requests of an asset',
      description: 'The oldest first, in short.',
      params: IdParams,
      querystring: listQuerySchema(assetRequestFields),
      response: { 200: listSchema(ref(AssetRequest), 'The requests'), 400: problem('query-invalid'), 404: problem('asset-not-found') },
    },
  }, async (request, reply) => {
    const asset = await findAsset(app.db, request.account, request.params.id)
    const rows = await list(request, reply, { query: assetRequestsOf(app.db, request.account, asset), fields: assetRequestFields, defaultOrdering: 'created_at' })
    return rows.map(({ created_at, updated_at, ...row }) => ({ ...row, events: { created: { at: created_at }, updated: { at: updated_at } } }))
  })

  app.get('/assets/:id/render', {
    config,
    schema: {
      operationId: 'renderAsset',
      tags: ['assets'],
      summary: 'Read what the customer of an asset is told',
      description: 'The template of the last approval with the values of the parameters, which may hold license keys. Empty before the first approval.',
      params: IdParams,
      response: {
        200: { description: 'Markdown', content: { 'text/markdown': { schema: Type.String({ examples: ['Your license key: ABCD-EFGH-0001'] }) } } },
        404: problem('asset-not-found'),
      },
    },
  }, async (request, reply) =>
    reply.type('text/markdown; charset=utf-8').send(await renderAsset(app.db, app.keyring, request.account, request.params.id)))
}
