import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Permission } from '../accounts/permissions.js'
import { inTransaction } from '../database/transaction.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { invalid, Problem } from '../problems.js'
import { ownProductKeyOf } from '../products/find.js'
import { findWrapper } from './find-wrapper.js'
import { mailVersionsOf } from './find-versions.js'
import { previewOf } from './preview.js'
import { readPreview } from './read-preview.js'
import { replaceWrapper } from './replace-wrapper.js'
import { mailVersionFields, MailPreview, MailVersion, MailWrapper, NewPreview, NewWrapper, wordsSchemas } from './schema.js'

const ProductParams = Type.Object({ product_id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] }) })

/** What mails say: the words of products by version, what stands around them, and how both look. */
export const wordsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of wordsSchemas) app.addSchema(schema)

  app.get('/mail-wrapper', {
    config: { permission: 'mail-settings:read' },
    schema: {
      operationId: 'getMailWrapper',
      tags: ['mails'],
      summary: 'Read what stands around the words of mails',
      response: { 200: ref(MailWrapper) },
    },
  }, async ({ account }) => findWrapper(app.db, account.id))

  app.put('/mail-wrapper', {
    config: { permission: 'mail-settings:write' },
    schema: {
      operationId: 'replaceMailWrapper',
      tags: ['mails'],
      summary: 'Replace what stands around the words of mails',
      description: 'Greeting, order details and signature of all products, for each locale. Mails that were tried already keep theirs.',
      body: ref(NewWrapper),
      response: { 200: ref(MailWrapper) },
    },
  }, async ({ account, body }) => {
    if (account.type !== 'vendor') throw new Problem('forbidden', 'only vendors write mails')
    await inTransaction(app.db, (trx) => replaceWrapper(trx, account.id, body.texts, account.key_id))
    return findWrapper(app.db, account.id)
  })

  app.get('/products/:product_id/mail-versions', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listMailVersions',
      tags: ['mails'],
      summary: 'List what the mails of a product said',
      description: 'From one change of its words to the next, the newest first. A mail that is sent again says what it said.',
      params: ProductParams,
      querystring: listQuerySchema(mailVersionFields),
      response: { 200: listSchema(ref(MailVersion), 'The versions'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const key = await ownProductKeyOf(app.db, request.account, request.params.product_id)
    return list(request, reply, { query: mailVersionsOf(app.db, key), fields: mailVersionFields, defaultOrdering: '-id' })
  })

  app.post('/products/:product_id/templates/preview', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'previewMail',
      tags: ['mails'],
      summary: 'See the mail of a product',
      description: 'With the data of an order, its keys masked, or with made-up data. Words that are not saved yet can be tried. Nothing is sent or counts as sent.',
      params: ProductParams,
      body: ref(NewPreview),
      response: { 200: ref(MailPreview), 404: problem('product-not-found', 'order-not-found') },
    },
  }, async ({ account, params, body }, reply) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const needed: Permission[] = [...(body.order_id === undefined ? [] : ['orders:read' as const]), ...(body.reveal === true ? ['licenses:reveal' as const] : [])]
    const lacking = needed.find((permission) => !account.permissions.includes(permission))
    if (lacking !== undefined) throw new Problem('forbidden', { detail: `the API key lacks the permission ${lacking}`, params: { permission: lacking } })
    if (body.reveal === true && body.order_id === undefined) throw invalid('reveal: there is nothing to reveal without an order; give order_id too')
    const { letter, needs_key } = body.reveal === true
      ? await inTransaction(app.db, (trx) => readPreview(trx, app.keyring, key, body, { trx, actor: account.key_id }))
      : await readPreview(app.db, app.keyring, key, body)
    return reply.header('cache-control', 'no-store').send(previewOf(letter, needs_key))
  })
}
