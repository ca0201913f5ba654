import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { loggedError } from '../log.js'
import type { Keyring } from '../sealing.js'

/** What every job stands on. */
export interface Ground { db: Kysely<Database>, keyring: Keyring, log: Pick<BaseLogger, 'info' | 'warn' | 'error'> }

/** What is done again and again. */
export type Job = readonly [name: string, every_ms: number, run: (db: Kysely<Database>, keyring: Keyring) => Promise<unknown>]

/** How long a job that failed waits: a database that comes back is noticed well within five seconds. */
const RETRY_MS = 1000

/** Waits; aborted, it returns early. */
const pause = (ms: number, signal: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal, ref: true }).catch(() => {})

/** Runs one job until the signal. A failure is logged, once for a row of the same, and ends nothing. */
export async function repeat ([name, every_ms, run]: Job, { db, keyring, log }: Ground, signal: AbortSignal): Promise<void> {
  let failing = false
  while (!signal.aborted) {
    try {
      await run(db, keyring)
      if (failing) log.info({ job: name }, 'job works again')
      failing = false
    } catch (error) {
      if (!failing) log.error({ job: name, err: loggedError(error) }, 'job failed')
      failing = true
    }
    await pause(failing ? RETRY_MS : every_ms, signal)
  }
}
