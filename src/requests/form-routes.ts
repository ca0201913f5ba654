import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { assetSchemas } from '../assets/schema.js'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { ParamWriteSchema } from '../parameters/schema.js'
import { prefersHtml } from '../plugins/accept.js'
import { parseForm } from '../plugins/form-body.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { parseJson } from '../plugins/json-body.js'
import { documented } from '../plugins/openapi.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { answerForm } from './answer-form.js'
import { FormSchema, type Form } from './bodies/schema.js'
import { requestDocuments } from './documents.js'
import { readForm } from './find-form.js'
import { readAnswers, refusedAnswers } from './form/answers.js'
import { fieldsOf } from './form/fields.js'
import { formPage, knownErrors, PAGE_HEADERS, plainPage } from './form/page.js'
import { Code, FormAnswer, FormThanks, InquiryForm, SentForm } from './form/schema.js'
import { english } from './form/words.js'
import { pendRequest } from './pend.js'
import { actorOf, findRequest, lockRequest } from './request-row.js'
import { IdParams, Request } from './schema.js'

const wantsPage = ({ headers }: FastifyRequest): boolean => prefersHtml(headers.accept)
const sendPage = (reply: FastifyReply, status: number, page: string): FastifyReply => reply.code(status).headers(PAGE_HEADERS).send(page)

/** Makes a page of a refusal, for who wants one. The status and the log are those of the refusal. */
async function asPage (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  reply.header('vary', 'accept').header('cache-control', 'no-store')
  const { statusCode } = reply
  if (statusCode < 400 || !wantsPage(request) || String(reply.getHeader('content-type')).startsWith('text/html')) return payload
  reply.headers(PAGE_HEADERS)
  return plainPage(english, statusCode === 404 ? 'gone' : statusCode >= 500 ? 'later' : 'unreadable')
}

/** The form itself: JSON for programs, a page for people. Only here is a form of a browser read. */
const formRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const service = { keyring: app.keyring, public_url: app.config.public_url }
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) => parseForm(bytes))

  app.get('/requests/:id/form', {
    config: { public: true },
    onSend: asPage,
    schema: {
      operationId: 'getInquiryForm',
      tags: ['requests'],
      summary: 'Read what a buyer is asked',
      description: 'Needs no API key: `params_form_url` of an inquiring request leads here, and holds the code. A browser is shown a form to fill in. ' +
        'A program answers with `POST …/pend?code=…`.',
      params: IdParams,
      querystring: Type.Object({ code: Code }),
      response: { 200: FormAnswer, 404: problem('request-not-found') },
    },
  }, async (request, reply) => {
    const asked = await readForm(app.db, service, request.params.id, request.query.code)
    if (!wantsPage(request)) return { ...asked, status: 'inquiring' as const }
    return sendPage(reply, 200, formPage({ asked, fields: new Map(asked.params.flatMap(fieldsOf)), errors: knownErrors(asked.params) }, english))
  })

  app.post<{ Body: ReturnType<typeof parseForm> | undefined }>('/requests/:id/form', {
    config: {
      public: true,
      swaggerTransform: ({ schema: plain, url, route }) => ({ schema: documented({ ...plain, body: SentForm }, route), url }),
    },
    onSend: asPage,
    schema: {
      operationId: 'sendInquiryForm',
      tags: ['requests'],
      summary: 'Answer what a buyer is asked',
      description: 'What the page of `GET` sends; needs no API key. What is asked for must be given and right, then the request is pending and the code is used up. ' +
        'Programs answer with `POST …/pend?code=…`.',
      params: IdParams,
      querystring: Type.Object({ code: Code }),
      consumes: Object.keys(SentForm.content),
      response: {
        200: FormThanks,
        204: { description: 'To others: it was answered', type: 'null' },
        400: problem('validation-failed'),
        404: problem('request-not-found'),
      },
    },
  }, async (request, reply) => {
    const { id, code } = { ...request.params as { id: string }, ...request.query as { code: string } }
    const fields = request.body ?? new Map<string, string[]>()
    const asked = await readForm(app.db, service, id, code)
    const { writes, faults } = readAnswers(asked, fields, english, parseJson)
    const errors = faults.size > 0
      ? faults
      : await inTransaction(app.db, (trx) => answerForm(trx, app.keyring, { id, code }, writes)).catch((error: unknown) => refusedAnswers(error, asked.params))
    if (errors === undefined) {
      wakeWorker()
      return wantsPage(request) ? sendPage(reply, 200, plainPage(english, 'thanks')) : reply.code(204).send(null)
    }
    if (wantsPage(request)) return sendPage(reply, 400, formPage({ asked, fields: new Map([...asked.params.flatMap(fieldsOf), ...fields]), errors }, english))
    const sentences = [...errors].map(([name, fault]) => `params.${name}: ${fault}`)
    throw new Problem('validation-failed', { detail: sentences.join('; '), errors: sentences })
  })
}

export const requestFormRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...assetSchemas, ParamWriteSchema, Request, InquiryForm]) app.addSchema(schema)
  const service = { keyring: app.keyring, public_url: app.config.public_url }
  const answersOf = ({ params, asset }: Form) => params ?? asset?.params ?? []

  await app.register(formRoutes)

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
      await inTransaction(app.db, (trx) => answerForm(trx, app.keyring, { id, code }, answersOf(body)))
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
