import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

/** Whether some account lists this origin: all that can be asked before a token says whose order it is. */
export async function allowsOrigin (db: Reader, origin: string): Promise<boolean> {
  const { rows: [found] } = await sql<{ is_listed: boolean }>`
    select exists (select from order_page_settings where allowed_origins @> array[${origin}::text]) as is_listed`.execute(db)
  return found?.is_listed === true
}
