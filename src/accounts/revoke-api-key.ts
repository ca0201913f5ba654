import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

/**
 * Ends an API key for good; again is no error. The next request with it is refused, on every replica.
 *
 * @throws Problem api-key-not-found
 */
export async function revokeApiKey (trx: Transaction<Database>, account_id: string, id: string, actor: string | null): Promise<void> {
  const revoked = await trx.updateTable('api_keys').set({ revoked_at: new Date() })
    .where('account_id', '=', account_id).where('id', '=', id).where('revoked_at', 'is', null).executeTakeFirst()
  if (revoked.numUpdatedRows === 1n) {
    await recordEvent(trx, { account_id, type: 'api_key.revoked', subject_id: id, actor })
    return
  }
  const known = await trx.selectFrom('api_keys').select('id').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst()
  if (known === undefined) throw new Problem('api-key-not-found')
}
