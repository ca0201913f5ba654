import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Caller } from './authentication.js'

/** One line per request, when its answer is out: ids, never bodies, headers or the values of a query. */
export const requestLog = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async (request, reply) => { reply.header('x-request-id', request.id) })
  app.addHook('onResponse', async (request, reply) => {
    const account = request.account as Caller | null | undefined
    request.log.info({
      method: request.method,
      route: request.routeOptions.url ?? null, // the pattern: a path may hold a token
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      account_id: account?.id,
      key_id: account?.key_id,
    }, 'request')
  })
}, { name: 'request-log' })
