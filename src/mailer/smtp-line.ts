// One connection to the mail server, promised: nodemailer's has callbacks and events.
import { readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { parseConnectionUrl } from 'nodemailer/lib/shared'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Config } from '../config.js'
import { stopped } from './room.js'

/** In milliseconds. The whole try is bounded too: a server that sends one byte now and then resets no other clock. */
export interface Timeouts { connection: number, greeting: number, socket: number, whole: number, idle: number }

/** An open connection, logged in. `mails`: handed over on it. */
export interface Line { connection: SMTPConnection, mails: number, is_open: boolean, idle?: NodeJS.Timeout }

export type SmtpSettings = Pick<Config, 'smtp_tls' | 'smtp_tls_ca_file' | 'smtp_connections_max'>

/** What nodemailer is told. The URL may hold more options of its own, `?name=mail.example.com`. */
export function optionsOf (url: string, { smtp_tls, smtp_tls_ca_file }: SmtpSettings, timeouts: Timeouts) {
  const target = new URL(url)
  // nodemailer takes options from the URL, and these would write mails to the log
  for (const name of ['logger', 'debug', 'transactionLog']) target.searchParams.delete(name)
  const { auth, tls, ...given } = parseConnectionUrl(target.href) as SMTPConnection.Options & { auth?: { user: string, pass: string } }
  const ca = smtp_tls_ca_file === undefined ? {} : { ca: readFileSync(smtp_tls_ca_file) }
  const options: SMTPConnection.Options = {
    ...given,
    ...(smtp_tls === 'required' ? { requireTLS: true } : smtp_tls === 'none' ? { ignoreTLS: true } : {}),
    tls: { ...tls, ...ca },
    connectionTimeout: timeouts.connection,
    dnsTimeout: timeouts.connection,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.socket,
  }
  return { options, auth }
}

type LineOptions = ReturnType<typeof optionsOf>

/** Opens a connection and logs in. */
export function openLine ({ options, auth }: LineOptions, signal: AbortSignal): Promise<Line> {
  signal.throwIfAborted()
  const connection = new SMTPConnection(options)
  const line: Line = { connection, mails: 0, is_open: true }
  connection.on('error', () => { line.is_open = false }) // who waits is told of it too
  connection.once('end', () => { line.is_open = false })
  return new Promise<Line>((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', abort)
      connection.off('error', fail).off('end', ended)
    }
    const fail = (error: Error): void => {
      settle()
      connection.close()
      reject(error)
    }
    const abort = (): void => { fail(stopped(signal)) }
    const ended = (): void => { fail(Object.assign(new Error('closed'), { code: 'ECONNECTION' })) }
    const ready = (): void => {
      settle()
      resolve(line)
    }
    signal.addEventListener('abort', abort)
    connection.once('error', fail).once('end', ended)
    connection.connect((error?: Error | null) => {
      if (error) fail(error)
      else if (auth === undefined || !connection.allowsAuth) ready()
      else connection.login({ credentials: auth, user: auth.user, pass: auth.pass } as never, (refused) => { if (refused) fail(refused); else ready() })
    })
  })
}

/** The bytes of a mail, and whether they were asked for: the server said 354 then. */
export interface Body { raw: Buffer, was_read: boolean }

/** Hands one mail over on an open connection. */
export function handOver ({ connection }: Line, envelope: SMTPConnection.Envelope, body: Body, signal: AbortSignal): Promise<string> {
  // all that nodemailer asks of a message that is no string; it says when the bytes are asked for, as a Readable around them would at more cost
  const message = {
    pipe (socket: Writable): void {
      body.was_read = true
      socket.end(body.raw)
    },
  }
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      connection.close()
      reject(stopped(signal))
    }
    signal.addEventListener('abort', abort)
    connection.send({ ...envelope, size: body.raw.length }, message as Readable, (error, sent) => {
      signal.removeEventListener('abort', abort)
      if (error) reject(error)
      else resolve(sent.response)
    })
  })
}

/** Whether the server refused this mail and goes on listening. */
export function isUsable (line: Line, error: unknown): boolean {
  const { code, responseCode } = error as { code?: string, responseCode?: number }
  return line.is_open && (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== undefined && responseCode !== 421
}

/** Ends the transaction of a mail that was refused. False: the connection is gone. */
export function reset ({ connection }: Line, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (usable: boolean): void => {
      connection.off('end', gone)
      signal.removeEventListener('abort', abort)
      resolve(usable)
    }
    const gone = (): void => { done(false) }
    const abort = (): void => { connection.close() }
    connection.once('end', gone)
    signal.addEventListener('abort', abort)
    connection.reset((error) => { done(!error) })
  })
}

/** Whether the connection failed, and not the mail. */
export function isHungUp (error: unknown): boolean {
  const { code = '', responseCode } = error as { code?: string, responseCode?: number }
  return responseCode === 421 || ['ECONNECTION', 'ESOCKET', 'ETIMEDOUT'].includes(code)
}
