// A checkout that posts Standard Webhooks over a real connection, signed by the library of the standard.
import { createHmac, randomUUID } from 'node:crypto'
import http from 'node:http'
import { Webhook } from 'standardwebhooks'

export interface Posted { status: number, json: Record<string, unknown> }

/** What is sent: headers as a flat list, so that a name can come twice and in any case. */
export interface Message { headers: string[], body: Buffer }

export interface Signing { id?: string, at?: Date }

const seconds = (at: Date): string => String(Math.floor(at.getTime() / 1000))

/** Signed over the bytes, by node's own HMAC: the library reads a body as text first. */
export function signatureOf (secret: string, id: string, timestamp: string, body: Buffer): string {
  return createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(`${id}.${timestamp}.`).update(body).digest('base64')
}

/** A message signed with the secret. Text is signed by the library, bytes that are no text by {@link signatureOf}. */
export function messageOf (secret: string, payload: string | Buffer, { id = randomUUID(), at = new Date() }: Signing = {}): Message {
  const body = Buffer.from(payload as string)
  const signature = typeof payload === 'string' ? new Webhook(secret).sign(id, at, payload) : `v1,${signatureOf(secret, id, seconds(at), body)}`
  return { headers: ['content-type', 'application/json', 'webhook-id', id, 'webhook-timestamp', seconds(at), 'webhook-signature', signature], body }
}

/** The value of a header of a message, by its lower-case name. */
export function headerOf ({ headers }: Message, name: string): string {
  return headers[headers.indexOf(name) + 1] as string
}

/** The message with a header changed; undefined: without it. */
export function withHeader ({ headers, body }: Message, name: string, value: string | undefined): Message {
  const at = headers.indexOf(name)
  return { headers: [...headers.slice(0, at), ...(value === undefined ? [] : [name, value]), ...headers.slice(at + 2)], body }
}

/** Posts it as it is. */
export function postMessage (port: number, source_id: string, { headers, body }: Message): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port, method: 'POST', path: `/v1/payments/${source_id}`, agent: false, headers: ['host', 'localhost', 'content-length', String(body.length), ...headers] as never,
    }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => { chunks.push(chunk) }).on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, json: text === '' ? {} : JSON.parse(text) as Record<string, unknown> })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}
