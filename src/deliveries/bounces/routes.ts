import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { ref } from '../../plugins/schema.js'
import { invalid } from '../../problems.js'
import { deliveryOfMessage, readReport, type Report } from './read-report.js'
import { BounceOutcome, NewBounce } from './schema.js'
import { findReported, isAboutCopy, keptReport, takeReport } from './take-report.js'

const UNMATCHED = { matched: false, delivery_id: null, status: null }

/** The report, whichever way it came; undefined: it is about none of ours. */
async function reportOf (body: Buffer | Static<typeof NewBounce>): Promise<Report | undefined> {
  if (Buffer.isBuffer(body)) return readReport(body)
  const { delivery_id, message_id, action, status, diagnostic = '' } = body
  if ((delivery_id === undefined) === (message_id === undefined)) throw invalid('body: needs delivery_id or message_id, one of them')
  const id = delivery_id ?? deliveryOfMessage(message_id ?? '')
  return id === undefined ? undefined : { delivery_id: id, action, status, diagnostic }
}

/** What mail servers and services report of mails that they took. */
export const bounceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [NewBounce, BounceOutcome]) app.addSchema(schema)
  app.addContentTypeParser('message/rfc822', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)

  app.post('/deliveries/bounces', {
    config: { permission: 'deliveries:bounce' },
    schema: {
      operationId: 'reportBounce',
      tags: ['deliveries'],
      summary: 'Report what became of a mail that was accepted',
      description: 'Either the message that a mail server sent back (`message/rfc822`, RFC 3464), as it came, or what a mail service\'s webhook says, as JSON. A mail that came back makes ' +
        'its delivery `bounced`, and the vendor is told; its licenses still count as seen. A report about an unknown mail is answered 200, so that no mail server tries again. ' +
        'The same report again changes nothing. An operator reports for every account, others for their own.',
      body: {
        content: {
          'application/json': { schema: ref(NewBounce) },
          'message/rfc822': { schema: { description: 'The message as it came, at most 1 MB' } },
        },
      },
      response: { 200: ref(BounceOutcome) },
    },
  }, async (request: FastifyRequest) => {
    const { account } = request
    const report = await reportOf(request.body as Buffer | Static<typeof NewBounce>)
    const reporter = { account_id: account.type === 'operator' ? null : account.id, actor: account.key_id }
    const reported = report === undefined ? undefined : await findReported(app.db, reporter, report.delivery_id)
    if (report === undefined || reported === undefined || isAboutCopy(reported, report)) return UNMATCHED
    const kept = await keptReport(app.db, app.keyring, reported, report)
    const status = await inTransaction(app.db, (trx) => takeReport(trx, reported, report, { kept, actor: reporter.actor }))
    return { matched: true, delivery_id: reported.id, status }
  })
}
