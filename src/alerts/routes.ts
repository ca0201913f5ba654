import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '../database/transaction.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { alertsOf, findAlert } from './find.js'
import { Alert, alertFields, AlertSettings, AlertWithMails, IdParams, NewAlertSettings } from './schema.js'
import { findAlertSettings, setAlertSettings } from './settings.js'

export const alertRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [Alert, AlertWithMails, AlertSettings]) app.addSchema(schema)

  app.get('/alerts', {
    config: { permission: 'alerts:read' },
    schema: {
      operationId: 'listAlerts',
      tags: ['alerts'],
      summary: 'List alerts',
      description: 'The newest first. `?is_open=true`: what is so now.',
      querystring: listQuerySchema(alertFields),
      response: { 200: listSchema(ref(Alert), 'The alerts'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => list(request, reply, { query: alertsOf(app.db, request.account.id), fields: alertFields, defaultOrdering: '-id' }))

  app.get('/alerts/:id', {
    config: { permission: 'alerts:read' },
    schema: {
      operationId: 'getAlert',
      tags: ['alerts'],
      summary: 'Read an alert and how its mail went',
      params: IdParams,
      response: { 200: ref(AlertWithMails), 404: problem('alert-not-found') },
    },
  }, async ({ account, params }) => findAlert(app.db, account.id, params.id))

  app.get('/alert-settings', {
    config: { permission: 'alerts:read' },
    schema: {
      operationId: 'getAlertSettings',
      tags: ['alerts'],
      summary: 'Read who is mailed alerts',
      response: { 200: ref(AlertSettings) },
    },
  }, async ({ account }) => findAlertSettings(app.db, account.id))

  app.put('/alert-settings', {
    config: { permission: 'alerts:write' },
    schema: {
      operationId: 'setAlertSettings',
      tags: ['alerts'],
      summary: 'Set who is mailed alerts',
      description: 'Replaces all of it. When a pool is low is set with the pool.',
      body: NewAlertSettings,
      response: { 200: ref(AlertSettings) },
    },
  }, async ({ account, body }) => {
    await inTransaction(app.db, (trx) => setAlertSettings(trx, account.id, body, account.key_id))
    return findAlertSettings(app.db, account.id)
  })
}
