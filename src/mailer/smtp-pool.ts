// Connections to the mail server that are used for one mail after the other. Why not nodemailer's pool: docs/decisions/0021-mail-connections.md.
import { bounded } from './bounded.js'
import { room } from './room.js'
import { handOver, isHungUp, isUsable, openLine, optionsOf, reset, type Line, type SmtpSettings, type Timeouts } from './smtp-line.js'

// idle: below the minute after which the hastiest servers hang up
export const TIMEOUTS: Timeouts = { connection: 10_000, greeting: 15_000, socket: 60_000, whole: 300_000, idle: 20_000 }

/** Mails after which a connection is given up: servers have limits, and a name may lead to another server. nodemailer's pool has the same. */
const MAILS_PER_CONNECTION = 100

export interface SmtpPool {
  /**
   * Hands one mail over and returns the server's answer; waits while all connections are busy. Once a byte of the mail was written it is never written
   * again. A signal that aborts cuts this mail's connection.
   *
   * @throws Error as nodemailer has it
   */
  send (envelope: { from: string, to: string }, raw: Buffer, signal: AbortSignal): Promise<string>
  /** Says goodbye on the connections that are idle. The pool stays usable. */
  close (): void
}

/** The open connections that nobody uses. One is said goodbye to when it was idle for long or has done its share. */
function shelf (idle_ms: number) {
  const idle: Line[] = []
  const quit = (line: Line): void => {
    const at = idle.indexOf(line)
    if (at >= 0) idle.splice(at, 1)
    clearTimeout(line.idle)
    line.connection.quit()
  }
  return {
    quit,
    all: idle,
    put (line: Line): void {
      if (!line.is_open) return
      if (line.mails >= MAILS_PER_CONNECTION) return quit(line)
      line.idle = setTimeout(quit, idle_ms, line).unref()
      idle.push(line)
    },
    /** The one used last: it is the least likely to have been closed by the server. */
    take (): Line | undefined {
      for (let line = idle.pop(); line !== undefined; line = idle.pop()) {
        clearTimeout(line.idle)
        if (line.is_open) return line
      }
      return undefined
    },
  }
}

/** Connections to one server, opened as they are needed. */
export function smtpPool (url: string, settings: SmtpSettings, timeouts = TIMEOUTS): SmtpPool {
  const options = optionsOf(url, settings, timeouts)
  const lines = shelf(timeouts.idle)
  const places = room(settings.smtp_connections_max)

  /** Undefined: the server had hung up between two mails, before a byte of this one, so that it goes out on another connection. */
  const sendOn = async (line: Line, envelope: { from: string, to: string }, raw: Buffer, signal: AbortSignal): Promise<string | undefined> => {
    const body = { raw, was_read: false }
    try {
      const answer = await handOver(line, { from: envelope.from, to: [envelope.to] }, body, signal)
      line.mails++
      lines.put(line)
      return answer
    } catch (error) {
      const was_used = line.mails++ > 0
      if (!signal.aborted && isUsable(line, error) && await reset(line, signal)) lines.put(line)
      else line.connection.close()
      if (was_used && !signal.aborted && !body.was_read && isHungUp(error)) return undefined
      throw error
    }
  }
  return {
    async send (envelope, raw, signal) {
      const whole = bounded(signal, timeouts.whole)
      try {
        return await places.within(whole.signal, async () => {
          for (;;) { // over once those that were idle are used up: a new connection ends it either way
            const answer = await sendOn(lines.take() ?? await openLine(options, whole.signal), envelope, raw, whole.signal)
            if (answer !== undefined) return answer
          }
        })
      } finally {
        whole.over()
      }
    },
    close () {
      for (const line of [...lines.all]) lines.quit(line)
    },
  }
}
