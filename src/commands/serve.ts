import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../app.js'
import type { Config } from '../config.js'
import { buildLogger, loggedError, type Logger } from '../log.js'
import { openIntake } from '../orders/intake.js'
import { version } from '../version.js'
import { startWorker, type Worker } from '../worker.js'
import { migrate, openDatabase, requireMigrated, type OpenDatabase } from './database.js'
import { banner, firstStart } from './first-start.js'
import { loadKeyring } from './key-material.js'
import { Refused } from './refused.js'

/** Which of the two a process is. `serve` is both, and migrates its database at the start. */
export type Role = 'serve' | 'api' | 'worker'

const CLOSE_MS_MAX = 10_000 // a supervisor's usual patience before it kills
const REQUESTS_MS_MAX = 8000 // what is still under way then is cut, so that the rest closes in order

interface Running { app?: FastifyInstance, worker?: Worker, intake?: ReturnType<typeof openIntake>, database: OpenDatabase }

/**
 * Runs until SIGTERM or SIGINT: then takes nothing new, answers what is under way, and exits with 0.
 *
 * @throws Refused when it cannot start
 */
export async function serveCommand (config: Config, role: Role): Promise<void> {
  if (role !== 'serve' && config.database_url === undefined) throw new Refused(`DATABASE_URL is not set: latchkey ${role} works on a given database; latchkey serve brings its own`)
  const log = buildLogger(config)
  const database = await openDatabase(config, { beside: false, say: console.log })
  const running: Running = { database }
  const starting = start(running, config, role, log)
  let stopping: Promise<void> | undefined
  const failed = (error: unknown): void => { log.fatal({ err: loggedError(error) }, 'failed') }
  const onTimeout = (): void => { log.error('closing took too long') }
  // before it runs, as a supervisor may change its mind at any time: what has begun to start is then closed in order as well
  const { uninstall } = closeWithGrace({ delay: CLOSE_MS_MAX, logger: false, onTimeout, onSecondError: failed }, async ({ err, signal }) => {
    // npm passes on the Ctrl-C that the terminal has sent already: a second signal is not impatience. The time limit holds
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(name).on(name, () => {})
    if (err !== undefined) failed(err)
    log.info({ signal }, 'closing')
    await starting.catch(() => {}) // which is told below
    await (stopping ??= stop(running)).catch((error: unknown) => {
      failed(error)
      throw error
    })
    log.info('closed')
  })
  try {
    await starting
  } catch (error) {
    uninstall()
    await (stopping ??= stop(running))
    throw error
  }
}

async function start (running: Running, config: Config, role: Role, log: Logger): Promise<void> {
  const { db, url, cluster } = running.database
  if (role === 'serve') await migrate(url, config)
  else await requireMigrated(db)
  const keyring = await loadKeyring(config, db)
  const credentials = cluster !== undefined ? await firstStart(config, db) : undefined
  if (role !== 'worker') {
    running.intake = openIntake(url, config, db, keyring)
    const parts = { config, db, keyring, intake: running.intake, logger: log }
    running.app = await buildApp(parts)
    await listen(running.app, config)
  }
  if (role !== 'api') running.worker = startWorker({ db, config, keyring, log })
  if (role === 'worker') log.info('the worker runs')
  else process.stdout.write(banner(config, version(), cluster, credentials))
}

async function listen (app: FastifyInstance, config: Config): Promise<void> {
  try {
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reasons: Record<string, string> = {
      EADDRINUSE: 'another program listens there: stop it, or set PORT',
      EACCES: 'this user may not listen there: set PORT to 1024 or more',
      EADDRNOTAVAIL: 'this machine does not have that address: set HOST',
      ENOTFOUND: 'there is no such host: set HOST',
    }
    throw new Refused(`cannot listen on port ${config.port} of ${config.host}: ${reasons[code ?? ''] ?? code}`)
  }
  // PORT=0 lets the system choose: links that are made later must name the port it chose
  const address = app.server.address()
  if (config.port === 0 && typeof address === 'object' && address !== null) config.public_url = config.public_url.replace(/:0$/, `:${address.port}`)
}

async function stop ({ app, worker, intake, database }: Running): Promise<void> {
  const cut = setTimeout(() => { app?.server.closeAllConnections() }, REQUESTS_MS_MAX)
  await Promise.all([app?.close(), worker?.stop()])
  clearTimeout(cut)
  await intake?.close()
  await database.close()
}
