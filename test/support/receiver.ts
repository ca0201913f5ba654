// A receiver of webhooks over real HTTP, that behaves as a test tells it to.
import http, { type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received { method: string, path: string, headers: IncomingHttpHeaders, body: string, at: number }

export interface Receiver {
  url: string
  port: number
  /** whole requests, in the order they came */
  received: Received[]
  connections: () => number
  /** how the next requests are answered; 204 from the start */
  answer: (request: Received, response: ServerResponse) => void
}

interface Teardown { teardown (work: () => unknown): unknown }

export const status = (code: number, headers: Record<string, string> = {}, body = '') => (_request: Received, response: ServerResponse): void => {
  response.writeHead(code, headers).end(body)
}

/** Never answers. */
export const hang = (): void => {}

/** Listens on loopback until the test ends. */
export async function receiver (t: Teardown, answer: Receiver['answer'] = status(204), host = '127.0.0.1'): Promise<Receiver> {
  let connections = 0
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) }).on('end', () => {
      const { method = '', url = '', headers } = request
      const received = { method, path: url, headers, body: Buffer.concat(chunks).toString(), at: Date.now() }
      it.received.push(received)
      it.answer(received, response)
    })
  })
  server.on('connection', () => { connections++ })
  await new Promise<void>((resolve) => { server.listen(0, host, resolve) })
  const { port } = server.address() as AddressInfo
  const it: Receiver = { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/hook`, port, received: [], connections: () => connections, answer }
  t.teardown(() => {
    server.closeAllConnections()
    return new Promise((resolve) => { server.close(resolve) })
  })
  return it
}
