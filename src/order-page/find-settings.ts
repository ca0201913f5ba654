import type { Reader } from '../database/connect.js'

/** What a vendor set for the pages of its orders. `days`: how long a link opens its page. */
export interface OrderPageSettings { days: number, allowed_origins: string[] }

/** Those of an account that never set any. */
export const DEFAULTS: Readonly<OrderPageSettings> = { days: 90, allowed_origins: [] }

/** The settings of an account, or the defaults. */
export async function findSettings (db: Reader, account_id: string): Promise<OrderPageSettings> {
  const set = await db.selectFrom('order_page_settings').select(['days', 'allowed_origins']).where('account_id', '=', account_id).executeTakeFirst()
  return set ?? { ...DEFAULTS }
}
