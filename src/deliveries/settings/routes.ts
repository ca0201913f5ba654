import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { readMailbox } from '../../mailer/address.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { IdempotencyHeaders, ref } from '../../plugins/schema.js'
import { makeDkimKeys, removeDkim, setDkim } from './dkim.js'
import { findMailSettings } from './find.js'
import { MailDkim, MailSettings, NewMailDkim, NewMailSettings } from './schema.js'
import { setMailSettings } from './set.js'

export const mailSettingsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [MailDkim, MailSettings]) app.addSchema(schema)
  const house = readMailbox(app.config.mail_from)

  app.get('/mail-settings', {
    config: { permission: 'mail-settings:read' },
    schema: { operationId: 'getMailSettings', tags: ['deliveries'], summary: 'Read how mails are sent', response: { 200: ref(MailSettings) } },
  }, async ({ account }) => findMailSettings(app.db, account.id, house))

  app.put('/mail-settings', {
    config: { permission: 'mail-settings:write' },
    schema: {
      operationId: 'setMailSettings',
      tags: ['deliveries'],
      summary: 'Set who mails come from, and how fast',
      description: 'Replaces all of it but the key that signs.',
      body: NewMailSettings,
      response: { 200: ref(MailSettings) },
    },
  }, async ({ account, body }) => {
    await inTransaction(app.db, (trx) => setMailSettings(trx, account.id, body, account.key_id))
    return findMailSettings(app.db, account.id, house)
  })

  app.post('/mail-settings/dkim', {
    config: { permission: 'mail-settings:write' },
    schema: {
      operationId: 'createMailDkim',
      tags: ['deliveries'],
      summary: 'Make a key that signs mails',
      description: 'In place of the one before: publish `record` at once, or make the key under a new selector and set `from` later. Mails from another domain are not signed by it.',
      headers: IdempotencyHeaders,
      body: NewMailDkim,
      response: { 201: ref(MailSettings) },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const keys = await makeDkimKeys()
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await setDkim(trx, app.keyring, { account_id: account.id, actor: account.key_id }, { ...body, ...keys })
      return { id: account.id, status: 201 }
    })
    return reply.code(201).send(await findMailSettings(app.db, account.id, house))
  })

  app.delete('/mail-settings/dkim', {
    config: { permission: 'mail-settings:write' },
    schema: { operationId: 'deleteMailDkim', tags: ['deliveries'], summary: 'Stop signing mails', response: { 204: Type.Null({ description: 'There is no key any more' }) } },
  }, async ({ account }, reply) => {
    await inTransaction(app.db, (trx) => removeDkim(trx, account.id, account.key_id))
    return reply.code(204).send(null)
  })
}
