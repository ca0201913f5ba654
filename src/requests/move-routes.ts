import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Transaction } from 'kysely'
import { Type, type TSchema } from 'typebox'
import type { Permission } from '../accounts/permissions.js'
import { assetSchemas } from '../assets/schema.js'
import type { Database } from '../database/connect.js'
import { wakeWorker } from '../deliveries/wake.js'
import { ParamWriteSchema } from '../parameters/schema.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { approveRequest } from './approve.js'
import { assignRequest } from './assign.js'
import {
  ApprovalSchema, AssignmentSchema, FailureSchema, InquirySchema, RequestChangeSchema, RevocationSchema, ScheduleSchema,
  type Approval, type Assignment, type Inquiry, type RequestChange,
} from './bodies/schema.js'
import { confirmRevocation } from './confirm.js'
import { requestDocuments } from './documents.js'
import { failRequest } from './fail.js'
import { inquireRequest } from './inquire.js'
import { openDraft } from './open.js'
import { actorOf, findRequest, lockRequest, type Actor, type RequestRow } from './request-row.js'
import { revokeRequest } from './revoke.js'
import { scheduleRequest } from './schedule.js'
import { IdParams, Request } from './schema.js'
import { submitRequest } from './submit.js'

type Work<Body> = (trx: Transaction<Database>, row: RequestRow, actor: Actor, body: Body) => Promise<RequestRow>
interface Move<Body> {
  verb: string
  permission: Permission
  summary: string
  description?: string
  body?: TSchema
  conflicts?: TSchema
  work: Work<Body>
}

export const requestMoveRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...assetSchemas, ParamWriteSchema, RequestChangeSchema, Request]) app.addSchema(schema)
  const { keyring } = app
  const service = { keyring, public_url: app.config.public_url }
  const conflicts = problem('asset-exists', 'request-open')

  addMove(app, {
    verb: 'purchase',
    permission: 'requests:write',
    summary: 'Ask for a draft purchase',
    conflicts,
    work: (trx, row, actor) => openDraft(trx, service, row, 'purchase', actor),
  })
  addMove<RequestChange>(app, {
    verb: 'submit',
    permission: 'requests:write',
    summary: 'Ask for a draft of another type',
    description: 'What is given is written first, as by a PUT.',
    body: ref(RequestChangeSchema),
    conflicts,
    work: (trx, row, actor, body) => submitRequest(trx, service, row, actor, body),
  })
  addMove<Approval>(app, {
    verb: 'approve',
    permission: 'requests:approve',
    summary: 'Approve a pending request',
    description: 'Its values and items become the asset\'s. Every required fulfillment parameter must have a value. ' +
      'Without a template the one that the request names tells the customer. The first of two who approve wins, the other is answered 400.',
    body: ApprovalSchema,
    work: (trx, row, actor, body) => approveRequest(trx, keyring, row, actor, body),
  })
  addMove<{ reason?: string | null }>(app, {
    verb: 'fail',
    permission: 'requests:approve',
    summary: 'Fail a request',
    description: 'The asset is as it was before; that of a purchase is terminated.',
    body: FailureSchema,
    work: (trx, row, actor, { reason }) => failRequest(trx, row, actor, reason),
  })
  addMove<Inquiry>(app, {
    verb: 'inquire',
    permission: 'requests:approve',
    summary: 'Ask the buyer for better values',
    description: 'Write `value_error` of the parameters in question first. The provider finds the form for the buyer in `params_form_url`.',
    body: InquirySchema,
    work: (trx, row, actor, body) => inquireRequest(trx, keyring, row, actor, body),
  })
  addMove<{ planned_date?: string | null, data?: { planned_date?: string | null } | null }>(app, {
    verb: 'schedule',
    permission: 'requests:approve',
    summary: 'Put a pending request off to a date',
    description: 'On it the request becomes pending again.',
    body: ScheduleSchema,
    work: (trx, row, actor, { planned_date, data }) => scheduleRequest(trx, row, actor, planned_date ?? data?.planned_date),
  })
  addMove<{ reason?: string | null, data?: { reason?: string | null } | null }>(app, {
    verb: 'revoke',
    permission: 'requests:write',
    summary: 'Ask the vendor to drop a scheduled request',
    body: RevocationSchema,
    work: (trx, row, actor, { reason, data }) => revokeRequest(trx, row, actor, reason ?? data?.reason),
  })
  addMove(app, {
    verb: 'confirm',
    permission: 'requests:approve',
    summary: 'Drop a request that the provider revokes',
    work: (trx, row, actor) => confirmRevocation(trx, row, actor),
  })
  addMove<Assignment>(app, {
    verb: 'assign',
    permission: 'requests:approve',
    summary: 'Give a request to one who works for the vendor',
    description: 'By the id or the e-mail of an API key; without either, to the caller.',
    body: AssignmentSchema,
    work: (trx, row, actor, body) => assignRequest(trx, row, actor, body),
  })
  addMove(app, {
    verb: 'unassign',
    permission: 'requests:approve',
    summary: 'Give a request to nobody',
    work: (trx, row, actor) => assignRequest(trx, row, actor, null),
  })

  app.post('/requests/:id/assign/:user_id', {
    config: { permission: 'requests:approve' },
    schema: {
      operationId: 'assignRequestTo',
      tags: ['requests'],
      summary: 'Give a request to one who works for the vendor, the older way',
      params: Type.Object({ ...IdParams.properties, user_id: Type.String({ minLength: 1, maxLength: 100, examples: ['SU-123-456-789'] }) }),
      headers: IdempotencyHeaders,
      response: { 200: ref(Request), 400: problem('illegal-transition'), 403: problem('wrong-side'), 404: problem('request-not-found') },
    },
  }, async (request) => moved(app, request, (trx, row, actor) => assignRequest(trx, row, actor, { id: (request.params as { user_id: string }).user_id })))
}

/** `POST /v1/requests/{id}/<verb>`: the answer is the whole request, which Connect's clients read. A body may be left out. */
function addMove<Body = unknown> (app: FastifyInstance, { verb, permission, summary, description, body, conflicts, work }: Move<Body>): void {
  app.post(`/requests/:id/${verb}`, {
    config: { permission },
    // a body that was left out is an empty one
    preValidation: async (request) => { request.body ??= {} },
    schema: {
      operationId: `${verb}Request`,
      tags: ['requests'],
      summary,
      ...(description === undefined ? {} : { description }),
      params: IdParams,
      headers: IdempotencyHeaders,
      ...(body === undefined ? {} : { body }),
      response: {
        200: ref(Request),
        400: problem('illegal-transition'),
        403: problem('wrong-side'),
        404: problem('request-not-found'),
        ...(conflicts === undefined ? {} : { 409: conflicts }),
      },
    },
  }, async (request) => moved(app, request, (trx, row, actor) => work(trx, row, actor, request.body as Body)))
}

async function moved (app: FastifyInstance, request: FastifyRequest, work: (trx: Transaction<Database>, row: RequestRow, actor: Actor) => Promise<unknown>) {
  const { account } = request
  const { id } = request.params as { id: string }
  await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
    await work(trx, await lockRequest(trx, account, id), actorOf(account))
    return { id, status: 200 }
  })
  wakeWorker()
  const service = { keyring: app.keyring, public_url: app.config.public_url }
  const [document] = await requestDocuments(app.db, service, account, [await findRequest(app.db, account, id)])
  return document!
}
