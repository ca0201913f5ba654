import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sql } from 'kysely'
import { Type } from 'typebox'
import { pendingMigrations } from '../database/migrate.js'
import { Problem } from '../problems.js'
import { problem } from './schema.js'

const CHECK_MS_MAX = 2000 // below the usual probe timeout of an engine, above a busy moment

/** Rejects when `work` takes longer than the bound: a frozen database gives no answer at all. */
async function bounded<T> (work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Problem('unavailable', { detail: 'the database does not answer', headers: { 'retry-after': '1' } })) }, CHECK_MS_MAX)
  })
  work.catch(() => {}) // it may fail after the bound was reached
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const Health = Type.Object({ status: Type.String({ examples: ['ok'] }) })

export const health: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/health/live', {
    schema: {
      operationId: 'isLive',
      tags: ['health'],
      summary: 'Whether the process answers',
      description: 'Says nothing about the database: a process should not be restarted because its database is away.',
      response: { 200: { description: 'It does', ...Health } },
    },
  }, async () => ({ status: 'ok' }))

  app.get('/health/ready', {
    schema: {
      operationId: 'isReady',
      tags: ['health'],
      summary: 'Whether requests can be served',
      description: 'The database answers within two seconds and has every migration.',
      response: { 200: { description: 'They can', ...Health }, 503: problem('unavailable') },
    },
  }, async () => {
    const pending = await bounded(sql`select 1`.execute(app.db).then(() => pendingMigrations(app.db)))
    if (pending.length > 0) throw new Problem('unavailable', { detail: `the database lacks migrations: ${pending.join(', ')}; run latchkey migrate` })
    return { status: 'ok' }
  })
}
