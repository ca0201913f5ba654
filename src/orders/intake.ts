import type { Kysely } from 'kysely'
import type pg from 'pg'
import type { Config } from '../config.js'
import { connectPool, type Database } from '../database/connect.js'
import { once } from '../database/once.js'
import type { Keyring } from '../sealing.js'
import { placeOrder } from './place.js'
import { isDeclined, isSmall, TAKE_IN_OPTIONS, takeIn, type Arrival } from './take-in.js'

/** `plain`: placed by the one statement, so its event was unknown and is stored under the id it came with. */
export interface Placement { id: string, created: boolean, plain: boolean }

/** Where paid orders enter, from every door. Resolves when the order is durable. */
export interface Intake { place (arrival: Arrival): Promise<Placement> }

/**
 * The third place where transactions begin, beside routes and jobs: `takeIn` commits by itself, and takes a list so that waiting
 * orders can be gathered into one statement. It has connections of its own; end them with `close()`.
 */
export function openIntake (url: string, config: Config, db: Kysely<Database>, keyring: Keyring): Intake & { close (): Promise<void> } {
  const pool = connectPool(url, config, TAKE_IN_OPTIONS)
  return {
    close: () => pool.end(),
    async place (arrival) {
      if (await isPlain(pool, config.prepared_statements, arrival)) return { id: arrival.order_id, created: true, plain: true }
      const { id, status } = await once(db, keyring, arrival.idempotency, async (trx) => {
        const placement = await placeOrder(trx, arrival)
        return { id: placement.id, status: placement.created ? 201 : 200 }
      })
      return { id, created: status === 201, plain: false }
    },
  }
}

async function isPlain (pool: pg.Pool, prepared: boolean, arrival: Arrival): Promise<boolean> {
  if (!isSmall(arrival.order)) return false
  try {
    return (await takeIn(pool, prepared, arrival.account_id, [arrival])).has(arrival.order_id)
  } catch (error) {
    if (isDeclined(error)) return false
    throw error
  }
}
