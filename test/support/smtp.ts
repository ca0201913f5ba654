import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

interface Teardown { teardown (work: () => unknown): unknown }

/** One mail that the server accepted or refused after it had come whole. */
export interface Received { from: string, to: string[], raw: Buffer }

export interface MailServer {
  url: string
  /** accepted */
  mails: Received[]
  /** every RCPT TO, refused or not */
  recipients: string[]
  /** how many ever came */
  connections: () => number
  /** answers by stage; undefined: accepts. Changed while the server runs. */
  faults: { rcpt?: ((address: string) => Fault | undefined) | undefined, data?: ((mail: Received) => Fault | undefined) | undefined }
}

export interface Fault { code: number, text: string }

const faultOf = ({ code, text }: Fault): Error => Object.assign(new Error(text), { responseCode: code })

/** A real SMTP server on a free port of the loopback interface. */
export async function mailServer (t: Teardown, options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: Received[] = []
  const recipients: string[] = []
  const faults: MailServer['faults'] = {}
  let connections = 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    closeTimeout: 100,
    onRcptTo ({ address }, _session, done) {
      recipients.push(address)
      const fault = faults.rcpt?.(address)
      done(fault === undefined ? null : faultOf(fault))
    },
    onData (stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        const mail = { from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address), raw: Buffer.concat(chunks) }
        const fault = faults.data?.(mail)
        if (fault === undefined) mails.push(mail)
        done(fault === undefined ? null : faultOf(fault))
      })
    },
    ...options,
  })
  server.server.on('connection', () => { connections++ })
  server.on('error', () => {}) // a client that is killed resets its connection
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>((resolve) => { server.close(resolve) }))
  return { url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`, mails, recipients, connections: () => connections, faults }
}

/** A mail server that speaks SMTP up to the end of DATA, then resets the connection instead of its 250; or never even greets. */
export async function brokenMailServer (t: Teardown, fault: 'reset after data' | 'never greets'): Promise<{ url: string, connections: () => number, bodies: string[] }> {
  let connections = 0
  const bodies: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) }).on('error', () => {})
    if (fault === 'never greets') return
    let [received, inData] = ['', false]
    socket.write('220 broken\r\n')
    socket.on('data', (chunk) => {
      received += chunk.toString()
      if (inData) {
        if (!received.endsWith('\r\n.\r\n')) return
        bodies.push(received)
        socket.resetAndDestroy()
        return
      }
      if (!received.endsWith('\r\n')) return
      inData = received.startsWith('DATA')
      socket.write(inData ? '354 go on\r\n' : '250 ok\r\n')
      received = ''
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>((resolve) => {
    for (const socket of sockets) socket.destroy()
    server.close(() => { resolve() })
  }))
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections, bodies }
}

/** The URL of a port where nobody listens. */
export async function closedPort (): Promise<string> {
  const server = net.createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => { server.close(() => { resolve() }) })
  return `smtp://127.0.0.1:${port}`
}

/** What a scripted server does after the line or the mail that it was just told; undefined: what a friendly server would. */
export type Script = (said: string, conversation: { connection: number, mail: number, socket: net.Socket }) => string | 'cut' | undefined

const FRIENDLY: Array<[RegExp, string]> = [[/^EHLO/, '250 scripted'], [/^(MAIL|RCPT|RSET|NOOP)/, '250 ok'], [/^DATA/, '354 go on'], [/^QUIT/, '221 bye'], [/^\.$/, '250 queued']]

/**
 * A mail server whose every answer a test decides. It is told `CONNECT`, then each line, and `.` when a mail has come whole.
 * `cut` resets the connection instead of an answer.
 */
export async function scriptedMailServer (t: Teardown, script: Script): Promise<{ url: string, connections: () => number, mails: string[] }> {
  let connections = 0
  const mails: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    const connection = ++connections
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) }).on('error', () => {})
    let [received, inData, mail] = ['', false, 0]
    const answer = (said: string): void => {
      const reply = script(said, { connection, mail, socket }) ?? FRIENDLY.find(([asked]) => asked.test(said))?.[1] ?? '220 scripted ESMTP'
      if (reply === 'cut') { socket.resetAndDestroy(); return }
      inData = said === 'DATA' && reply.startsWith('354')
      if (reply !== '') socket.write(`${reply}\r\n`)
      if (/^(221|421)/.test(reply)) socket.end()
    }
    answer('CONNECT')
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      for (;;) {
        const end = received.indexOf(inData ? '\r\n.\r\n' : '\r\n')
        if (end < 0 || socket.destroyed) return
        const [said, whole] = [received.slice(0, end), inData]
        received = received.slice(end + (whole ? 5 : 2))
        if (whole) { mails.push(said); mail++ }
        answer(whole ? '.' : said)
      }
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>((resolve) => {
    for (const socket of sockets) socket.destroy()
    server.close(() => { resolve() })
  }))
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections, mails }
}
