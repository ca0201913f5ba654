import type { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { documented } from '../plugins/openapi.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { findBatch, selectBatches } from './find-batch.js'
import { findLicense } from './find-license.js'
import { loadLicenses, type LoadFormat } from './load.js'
import { revealLicense } from './reveal.js'
import * as schema from './schema.js'
import { listPoolLicenses } from './select-licenses.js'
import { uploadOf } from './upload.js'
import { withdrawLicense } from './withdraw.js'

/** The body of a load: not read yet. */
interface Upload { format: LoadFormat, stream: Readable }

/** Loads are the only bodies that are streamed, so their parsers stay in this scope. */
const loadRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.removeAllContentTypeParsers()
  const formats: Record<string, LoadFormat> = { 'text/plain': 'text', 'text/csv': 'csv', 'application/json': 'json' }
  for (const [type, format] of Object.entries(formats)) {
    app.addContentTypeParser(type, async (_request: unknown, stream: Readable): Promise<Upload> => ({ format, stream }))
  }

  app.post('/pools/:id/licenses', {
    config: {
      permission: 'licenses:load',
      streamed: true,
      swaggerTransform: ({ schema: plain, url, route }) => ({ schema: documented({ ...plain, body: schema.loadBody }, route), url }),
    },
    schema: {
      operationId: 'loadLicenses',
      tags: ['licenses'],
      summary: 'Load licenses into a pool',
      description: 'Streams a file of licenses into the pool, in the order of its lines. A license has at most 4,096 bytes and comes back byte for byte: ' +
        'invalid UTF-8, control characters other than the tab and too long lines are rejected, never repaired; blank lines are skipped. ' +
        'Nothing is in the pool before all of it is; a load that breaks off leaves nothing. Its total time is not limited, but it must bring 1 KiB a second.',
      params: schema.IdParams,
      querystring: schema.LoadQuery,
      headers: IdempotencyHeaders,
      consumes: Object.keys(formats),
      response: {
        200: ref(schema.LoadReport),
        201: ref(schema.LoadReport),
        400: problem('load-refused'),
        404: problem('pool-not-found'),
        409: problem('load-interrupted'),
      },
    },
  }, async (request, reply) => {
    if (request.body === undefined) throw new Problem('unsupported-media-type', `send the licenses as ${Object.keys(formats).join(', ')}`)
    const { format, stream } = request.body as Upload
    const report = await loadLicenses({
      db: app.db,
      keyring: app.keyring,
      account_id: request.account.id,
      pool_id: request.params.id,
      bytes: uploadOf(stream),
      format,
      created_by: request.account.key_id,
      ...request.query,
      commit: (sha256, merge) => once(app.db, app.keyring, idempotencyKeyOf(request, sha256.toString('hex')), merge),
    })
    if (report.batch_id === null) return report
    wakeWorker()
    return reply.code(201).header('location', `/v1/batches/${report.batch_id}`).send(report)
  })
}

const batchRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/batches', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'listBatches',
      tags: ['batches'],
      summary: 'List loads',
      description: 'The loads of your account, the newest first; their reports are with each one.',
      querystring: listQuerySchema(schema.batchFieldsOfLists),
      response: { 200: listSchema(ref(schema.BatchSummary), 'The loads'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const batches = await list(request, reply, { query: selectBatches(app.db, request.account.id), fields: schema.batchFieldsOfLists, defaultOrdering: '-id' })
    return batches.map((batch) => ({ ...batch, sha256: batch.sha256?.toString('hex') ?? null }))
  })

  app.get('/batches/:id', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'getBatch',
      tags: ['batches'],
      summary: 'Read a load and its report',
      description: 'What a load brought in, and which of its lines it did not, as the load itself answered.',
      params: schema.IdParams,
      response: { 200: ref(schema.Batch), 404: problem('batch-not-found') },
    },
  }, async ({ account, params }) => findBatch(app.db, account.id, params.id))
}

/** Loading, reading, revealing and withdrawing licenses; and the batches that they came in. */
export const licenseRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const shared of [schema.LoadReport, schema.Batch, schema.BatchSummary, schema.License, schema.RevealedLicense]) app.addSchema(shared)
  await app.register(loadRoutes)
  await app.register(batchRoutes)

  app.get('/pools/:id/licenses', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'listLicenses',
      tags: ['licenses'],
      summary: 'List the licenses of a pool',
      description: 'Masked, with their state and who holds them; in the order of loading.',
      params: schema.IdParams,
      querystring: listQuerySchema(schema.licenseFields),
      response: { 200: listSchema(ref(schema.License), 'The licenses'), 400: problem('query-invalid'), 404: problem('pool-not-found') },
    },
  }, async (request, reply) => listPoolLicenses(app.db, app.keyring, { account_id: request.account.id, pool_id: request.params.id },
    (query) => list(request, reply, { query, fields: schema.licenseFields })))

  app.get('/licenses/:id', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'getLicense',
      tags: ['licenses'],
      summary: 'Read a license, masked',
      description: 'Its state, who holds it, and enough of its key to recognise it.',
      params: schema.IdParams,
      response: { 200: ref(schema.License), 404: problem('license-not-found') },
    },
  }, async ({ account, params }) => findLicense(app.db, app.keyring, account.id, params.id))

  app.post('/licenses/:id/reveal', {
    config: { permission: 'licenses:reveal' },
    schema: {
      operationId: 'revealLicense',
      tags: ['licenses'],
      summary: 'Reveal the key of a license',
      description: 'Answers the key, byte for byte as loaded, and records who saw it: from then on a refund revokes the license instead of selling it again.',
      params: schema.IdParams,
      response: { 200: ref(schema.RevealedLicense), 404: problem('license-not-found') },
    },
  }, async ({ account, params: { id } }, reply) => {
    const revealed = await inTransaction(app.db, (trx) =>
      revealLicense(trx, app.keyring, { account_id: account.id, license_id: id, actor: account.key_id }))
    return reply.header('cache-control', 'no-store').send(revealed)
  })

  app.post('/licenses/:id/withdraw', {
    config: { permission: 'licenses:withdraw' },
    schema: {
      operationId: 'withdrawLicense',
      tags: ['licenses'],
      summary: 'Take a license out of stock for good',
      description: 'Only a license that is in stock; nobody gets it afterwards.',
      params: schema.IdParams,
      headers: IdempotencyHeaders,
      body: schema.NewWithdrawal,
      response: { 200: ref(schema.License), 404: problem('license-not-found'), 409: problem('license-not-available') },
    },
  }, async (request) => {
    const { account, params: { id }, body: { reason } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await withdrawLicense(trx, { account_id: account.id, license_id: id, reason, actor: account.key_id })
      return { id, status: 200 }
    })
    return findLicense(app.db, app.keyring, account.id, id)
  })
}
