import { once } from 'node:events'
import net from 'node:net'
import type { FastifyInstance } from 'fastify'

/** What came over the wire, byte for byte: a test of a header must not see what a client library makes of it. */
export interface RawAnswer { status: number, headers: Record<string, string>, body: string }

export function parseAnswer (text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
  return { status: Number(line.split(' ')[1]), headers, body: rest.join('\r\n\r\n') }
}

/** Listens on a port of its own and returns it. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as net.AddressInfo).port
}

/** Sends bytes and reads until the server closes: send `connection: close`, or something that it closes for. */
export async function exchange (port: number, ...chunks: Array<string | Buffer>): Promise<RawAnswer> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => { received.push(chunk) })
  socket.on('error', () => {}) // the server may close while we still send
  for (const chunk of chunks) socket.write(chunk)
  await once(socket, 'close')
  return parseAnswer(Buffer.concat(received).toString())
}

/** The bytes of a request that ends its connection. */
export function requestBytes (method: string, url: string, headers: Record<string, string> = {}, body?: string | Buffer): Buffer {
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body as string)
  const all = { host: 'localhost', connection: 'close', ...(body === undefined ? {} : { 'content-length': String(bytes.length) }), ...headers }
  const head = `${method} ${url} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}
