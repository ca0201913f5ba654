import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { ParamSchema, ParamWriteSchema } from '../parameters/schema.js'
import { problem, ref } from '../plugins/schema.js'
import { findParameter, parametersOf } from './find-parameter.js'
import { actorOf, lockRequest } from './request-row.js'
import { IdParams } from './schema.js'
import { updateRequest } from './update.js'

const ParameterParams = Type.Object({
  ...IdParams.properties,
  parameter_id: Type.String({ minLength: 1, maxLength: 255, description: 'The name of the parameter, or its PRM id', examples: ['license_key'] }),
})

export const requestParameterRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ParamSchema, ParamWriteSchema]) app.addSchema(schema)

  app.get('/requests/:id/parameters', {
    config: { permission: 'requests:read' },
    schema: {
      operationId: 'listRequestParameters',
      tags: ['requests'],
      summary: 'Read the parameters of a request',
      description: 'All of them, as in `asset.params` of the request. Secret ones are in clear.',
      params: IdParams,
      response: { 200: { description: 'The parameters', ...Type.Array(ref(ParamSchema)) }, 404: problem('request-not-found') },
    },
  }, async ({ account, params }) => parametersOf(app.db, app.keyring, account, params.id))

  app.get('/requests/:id/parameters/:parameter_id', {
    config: { permission: 'requests:read' },
    schema: {
      operationId: 'getRequestParameter',
      tags: ['requests'],
      summary: 'Read one parameter of a request',
      params: ParameterParams,
      response: { 200: ref(ParamSchema), 404: problem('request-not-found', 'parameter-not-found') },
    },
  }, async ({ account, params }) => findParameter(app.db, app.keyring, account, params.id, params.parameter_id))

  app.put('/requests/:id/parameters/:parameter_id', {
    config: { permission: 'requests:write' },
    schema: {
      operationId: 'writeRequestParameter',
      tags: ['requests'],
      summary: 'Write one parameter of a request',
      description: 'As `PUT /v1/requests/{id}` with this one in `asset.params`: the same may be written, by the same side, in the same states.',
      params: ParameterParams,
      body: ref(ParamWriteSchema),
      response: { 200: ref(ParamSchema), 400: problem('illegal-transition'), 404: problem('request-not-found', 'parameter-not-found') },
    },
  }, async ({ account, params: { id, parameter_id }, body }) => {
    await inTransaction(app.db, async (trx) => {
      const row = await lockRequest(trx, account, id)
      const { id: name } = await findParameter(trx, app.keyring, account, id, parameter_id)
      const service = { keyring: app.keyring, public_url: app.config.public_url }
      await updateRequest(trx, service, row, actorOf(account), { asset: { params: [{ ...body, id: name }] } })
    })
    return findParameter(app.db, app.keyring, account, id, parameter_id)
  })
}
