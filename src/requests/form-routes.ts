import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { REQUEST_TYPES, assetSchemas } from '../assets/schema.js'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { ParamSchema, ParamWriteSchema } from '../parameters/schema.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { IdempotencyHeaders, OneOf, problem, ref } from '../plugins/schema.js'
import { FormSchema, type Form } from './bodies/schema.js'
import { requestDocuments } from './documents.js'
import { findByCode, readForm } from './find-form.js'
import { pendRequest } from './pend.js'
import { actorOf, findRequest, lockOwnRequest, lockRequest } from './request-row.js'
import { IdParams, Request } from './schema.js'

const Code = Type.String({ minLength: 1, maxLength: 100, description: 'The code of the inquiry form, out of `params_form_url`' })

const InquiryForm = Type.Object({
  id: Type.String({ examples: ['PR-1234-5678-9012-001'] }),
  type: OneOf(REQUEST_TYPES),
  status: OneOf(['inquiring']),
  product: Type.Object({ id: Type.String(), name: Type.String() }),
  message: Type.String({ description: 'What is asked, in Markdown' }),
  params: Type.Array(ref(ParamSchema), { description: 'What the buyer gives, with what is wrong about it' }),
}, { $id: 'InquiryForm' })

export const requestFormRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...assetSchemas, ParamWriteSchema, Request, InquiryForm]) app.addSchema(schema)
  const service = { keyring: app.keyring, public_url: app.config.public_url }
  const answersOf = ({ params, asset }: Form) => params ?? asset?.params ?? []

  app.get('/requests/:id/form', {
    config: { public: true },
    schema: {
      operationId: 'getInquiryForm',
      tags: ['requests'],
      summary: 'Read what a buyer is asked',
      description: 'Needs no API key: `params_form_url` of an inquiring request leads here, and holds the code. Answer with `POST …/pend?code=…`.',
      params: IdParams,
      querystring: Type.Object({ code: Code }),
      response: { 200: ref(InquiryForm), 404: problem('request-not-found') },
    },
  }, async ({ params, query }, reply) => {
    reply.header('cache-control', 'no-store')
    return { ...await readForm(app.db, service, params.id, query.code), status: 'inquiring' as const }
  })

  app.post('/requests/:id/pend', {
    config: { permission: 'requests:write', or_code: true },
    preValidation: async (request) => { request.body ??= {} }, // a body that was left out is an empty one
    schema: {
      operationId: 'pendRequest',
      tags: ['requests'],
      summary: 'Make a request pending again',
      description: 'After an inquiry, by either side, or by the buyer with the code of the form instead of an API key; or by the vendor before the planned date. ' +
        'What the buyer answers may come with it. It also goes through before all values are right.',
      params: IdParams,
      querystring: Type.Object({ code: Type.Optional(Code) }),
      headers: IdempotencyHeaders,
      body: FormSchema,
      response: {
        200: ref(Request),
        204: { description: 'To a buyer: it was answered', type: 'null' },
        400: problem('illegal-transition'),
        403: problem('wrong-side'),
        404: problem('request-not-found'),
      },
    },
  }, async (request, reply) => {
    const { account, params: { id }, query: { code }, body } = request
    if (code !== undefined) {
      await inTransaction(app.db, async (trx) => {
        const { account_id } = await findByCode(trx, id, code)
        await lockOwnRequest(trx, account_id, id)
        // looked for again under the lock: of two who send the form, one is late
        await pendRequest(trx, app.keyring, await findByCode(trx, id, code), { side: 'provider', key_id: null }, answersOf(body))
      })
      wakeWorker()
      return reply.code(204).send(null)
    }
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await pendRequest(trx, app.keyring, await lockRequest(trx, account, id), actorOf(account), answersOf(body))
      return { id, status: 200 }
    })
    wakeWorker()
    const [document] = await requestDocuments(app.db, service, account, [await findRequest(app.db, account, id)])
    return document!
  })
}
