import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { invalid, Problem } from '../../problems.js'
import { changeAccount } from '../accounts/change-account.js'
import type { AskedChange } from './schema.js'

/**
 * Changes a tier account and tells every vendor that it buys from or sells for. Returns the id of the first request that this opened.
 *
 * @throws Problem validation-failed  no such account, or nobody to tell
 * @throws Problem tier-account-unchanged
 * @throws Problem tier-account-exists
 */
export async function askForChange (trx: Transaction<Database>, provider_id: string, { account }: AskedChange, actor: string): Promise<string> {
  const by = account.id != null && account.id !== '' ? 'id' : 'external_uid'
  const found = await trx.selectFrom('tier_accounts').select('id').where('provider_id', '=', provider_id).where(by, '=', account[by] ?? '')
    .where('deleted_at', 'is', null).executeTakeFirst()
  if (found === undefined) throw invalid(`account.${by}: there is no such tier account`)
  const opened = await changeAccount(trx, { provider_id, id: found.id, change: account, path: 'account' }, actor)
  if (opened === undefined) throw new Problem('tier-account-unchanged')
  if (opened[0] === undefined) throw invalid(`account.${by}: no product was sold to this account, so there is nobody to ask; change it with PUT /v1/tier/accounts/${found.id}`)
  return opened[0]
}
