import type { Reader } from '../database/connect.js'

/** The pools of a hold's lines; of one that the account does not have, none. */
export async function poolsOfHold (db: Reader, account_id: string, hold_id: string): Promise<string[]> {
  const lines = await db.selectFrom('hold_lines').select('pool_id').distinct()
    .where('account_id', '=', account_id).where('hold_id', '=', hold_id).orderBy('pool_id').execute()
  return lines.map((line) => line.pool_id)
}
