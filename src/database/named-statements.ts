import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'

/** More distinct statements than the service has; past it they go unnamed, so that a connection's memory stays bounded. */
const NAMES_MAX = 1000

/** A statement that ends so has a shape that its caller chose: it gets no name, or callers could use all names up. */
export const SHAPED_BY_CALLER = '/* shaped by the caller */'

/** Whether a connection is of no use after this error. One that the server reported leaves it usable. */
export function breaksConnection (error: unknown): boolean {
  const { severity } = error as { severity?: string }
  return severity === undefined || severity === 'FATAL' || severity === 'PANIC'
}

/**
 * Lets Kysely's statements be prepared once per connection: each text with parameters gets a name.
 * A statement without parameters stays unnamed, since migrations put several commands into one.
 * A client whose query failed on the way (timeout, lost line) is destroyed, not pooled: it would stay stuck.
 */
export function namedStatements (pool: pg.Pool, prepared: boolean): PostgresPool {
  const names = new Map<string, string>()
  const nameOf = (text: string): string | undefined => {
    let name = names.get(text)
    if (name === undefined && names.size < NAMES_MAX) names.set(text, name = `k${names.size}`)
    return name
  }
  return {
    async connect () {
      const client = await pool.connect()
      let broken = false
      const query = async (text: unknown, values?: readonly unknown[]): Promise<unknown> => {
        try {
          if (typeof text !== 'string') return await client.query(text as pg.QueryConfig)
          if (values === undefined || values.length === 0) return await client.query(text)
          const name = prepared && !text.endsWith(SHAPED_BY_CALLER) ? nameOf(text) : undefined
          return await client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) })
        } catch (error) {
          broken ||= breaksConnection(error)
          throw error
        }
      }
      return { query, release: () => { client.release(broken) } } as unknown as PostgresPoolClient
    },
    end: () => pool.end(),
  }
}
