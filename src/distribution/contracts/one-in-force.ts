import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'

interface Between { account_id: string, provider_id: string, marketplace_id: string }

/**
 * Puts a contract in force, by `write`, unless there is one between the two for the marketplace.
 *
 * @throws Problem contract-exists
 */
export async function oneInForce<T> (db: Reader, { account_id, provider_id, marketplace_id }: Between, write: () => Promise<T>): Promise<T> {
  const other = await db.selectFrom('contracts').select('id').where('account_id', '=', account_id)
    .where('provider_id', '=', provider_id).where('marketplace_id', '=', marketplace_id).where('status', '=', 'active').executeTakeFirst()
  if (other !== undefined) throw new Problem('contract-exists', { detail: `${other.id} is in force`, params: { contract_id: other.id } })
  try {
    return await write()
  } catch (error) {
    if ((error as { constraint?: string }).constraint === 'contracts_one_active') throw new Problem('contract-exists', 'another was made at the same moment')
    throw error
  }
}
