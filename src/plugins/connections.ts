import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** the route reads its body as a stream and bounds its slowness itself */
    streamed?: boolean
  }
  interface FastifyRequest { body_timer: NodeJS.Timeout | undefined }
}

/**
 * Node's own requestTimeout cannot be lifted for one route, so the headers are bounded by node (headersTimeout in
 * app.ts) and the body here. While the server closes, each answer ends its connection, and those that carry no request
 * are cut: with keep-alive clients close() would otherwise wait for them for more than a minute.
 */
export const connections = fp(async (app: FastifyInstance, { request_timeout_ms }: { request_timeout_ms: number }) => {
  app.decorateRequest('body_timer', undefined)
  app.addHook('preParsing', async (request) => {
    if (request.routeOptions.config.streamed === true || request.raw.complete) return
    request.body_timer = setTimeout(() => {
      // the parser that reads the body takes this as its failure, and the connection stays usable for the answer
      request.raw.emit('error', Object.assign(new Error('the body took too long to arrive'), { statusCode: 408 }))
    }, request_timeout_ms).unref()
  })
  const stop = async (request: FastifyRequest): Promise<void> => { clearTimeout(request.body_timer) }
  app.addHook('preValidation', stop)
  app.addHook('onResponse', stop)
  app.addHook('onRequestAbort', stop)

  let closing = false
  const idle = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    idle.add(socket)
    socket.once('close', () => { idle.delete(socket) })
  })
  app.server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    response.once('close', () => { if (!socket.destroyed) idle.add(socket) })
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    if (closing) reply.header('connection', 'close')
    return payload
  })
  app.addHook('preClose', async () => {
    closing = true
    for (const socket of idle) socket.destroy()
  })
}, { name: 'connections' })
