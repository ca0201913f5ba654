import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Transaction } from 'kysely'
import { Type } from 'typebox'
import type { Database } from '../../database/connect.js'
import { once, type IdempotencyKey } from '../../database/once.js'
import { wakeWorker } from '../../deliveries/wake.js'
import { idempotencyKeyOf } from '../../plugins/idempotency.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { advanceWaiting } from '../../requests/advance-waiting.js'
import { readMoment } from '../../requests/read-moment.js'
import { approveRequest } from './approve.js'
import { assignRequest } from './assign.js'
import { requestDocuments } from './documents.js'
import { failRequest } from './fail.js'
import { findRequest } from './find.js'
import { inquireRequest } from './inquire.js'
import { pendRequest } from './pend.js'
import { Approved, ConfigRequestApproval, ConfigRequestAssignment, ConfigRequestFailure, IdParams } from './schema.js'

const config = { permission: 'tiers:write' } as const
const tags = ['tiers']
const refused = { 400: problem('illegal-transition'), 403: problem('wrong-side'), 404: problem('tier-config-request-not-found') }
const headers = IdempotencyHeaders
const response = { 204: Type.Null({ description: 'It is done' }), ...refused }

export const tierConfigRequestMoveRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Approved)
  const move = async (key: IdempotencyKey | undefined, id: string, work: (trx: Transaction<Database>) => Promise<void>): Promise<void> => {
    await once(app.db, app.keyring, key, async (trx) => {
      await work(trx)
      return { id, status: 204 }
    })
    wakeWorker()
  }

  app.post('/tier/config-requests/:id/approve', {
    config,
    schema: {
      operationId: 'approveTierConfigRequest',
      tags,
      summary: 'Approve a tier configuration request',
      description: 'For the vendor, while it is pending. Its values become those of the configuration, and purchases that wait for it go on. Without a template the product\'s first of the tier is used.',
      params: IdParams,
      headers,
      body: ConfigRequestApproval,
      response: { 200: ref(Approved), ...refused },
    },
  }, async (request) => {
    const { account, params, body } = request
    const effective_date = readMoment('effective_date', body?.effective_date)
    const approval = { template_id: body?.template?.id, representation: body?.template?.representation, effective_date }
    await move(idempotencyKeyOf(request), params.id, async (trx) => {
      const finished = await approveRequest(trx, app.keyring, account, params.id, approval)
      for (const each of finished) await advanceWaiting(trx, app.keyring, each, account.key_id)
    })
    const [document] = await requestDocuments(app.db, app.keyring, account, [await findRequest(app.db, account, params.id)])
    const { id = '', representation = '' } = document?.template ?? {}
    return { template: { id, representation }, effective_date: document?.effective_date ?? null }
  })

  app.post('/tier/config-requests/:id/fail', {
    config,
    schema: {
      operationId: 'failTierConfigRequest',
      tags,
      summary: 'Fail a tier configuration request',
      description: 'For the vendor, while it is pending or inquiring. Purchases that wait for it fail too; a configuration that is active stays as it is.',
      params: IdParams,
      headers,
      body: ConfigRequestFailure,
      response,
    },
  }, async (request, reply) => {
    const { account, params, body } = request
    await move(idempotencyKeyOf(request), params.id, async (trx) => {
      const finished = await failRequest(trx, app.keyring, account, params.id, body?.reason ?? '')
      for (const each of finished) await advanceWaiting(trx, app.keyring, each, account.key_id)
    })
    return reply.code(204).send(null)
  })

  for (const { verb, run, summary } of [
    { verb: 'inquire', run: inquireRequest, summary: 'Ask the provider again: for the vendor, while the request is pending' },
    { verb: 'pend', run: pendRequest, summary: 'Take a tier configuration request back from inquiring' },
    { verb: 'unassign', run: assignRequest, summary: 'Give a tier configuration request to nobody' },
  ] as const) {
    app.post(`/tier/config-requests/:id/${verb}`, {
      config, schema: { operationId: `${verb}TierConfigRequest`, tags, summary, params: IdParams, headers, response },
    }, async (request, reply) => {
      await move(idempotencyKeyOf(request), request.params.id, (trx) => run(trx, request.account, request.params.id, null))
      return reply.code(204).send(null)
    })
  }

  app.post('/tier/config-requests/:id/assign', {
    config,
    schema: {
      operationId: 'assignTierConfigRequest',
      tags,
      summary: 'Give a tier configuration request to somebody of the vendor',
      description: 'An API key by its id or e-mail; without a body to yourself.',
      params: IdParams,
      headers,
      body: ConfigRequestAssignment,
      response,
    },
  }, async (request, reply) => {
    const { account, params, body } = request
    await move(idempotencyKeyOf(request), params.id, (trx) => assignRequest(trx, account, params.id, body ?? {}))
    return reply.code(204).send(null)
  })
}
