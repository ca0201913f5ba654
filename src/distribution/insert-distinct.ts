import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { insertWithNewId } from '../ids.js'

type Table = 'hubs' | 'marketplaces' | 'contracts' | 'listings' | 'connections'

/**
 * Inserts under a new id that nobody has in the table, and returns it: the other side names the row by its id alone, and MP-12345
 * has few digits. (The key leads with the account, so two transactions at one moment could still draw the same; then each has its own.)
 */
export async function insertDistinct (
  trx: Transaction<Database>, table: Table, newId: () => string, insert: (id: string) => Promise<{ id: string } | undefined>
): Promise<string> {
  return insertWithNewId(newId, async (id) => {
    const { rows } = await sql`select from ${sql.table(table)} where id = ${id} limit 1`.execute(trx)
    return rows.length > 0 ? undefined : insert(id)
  })
}
