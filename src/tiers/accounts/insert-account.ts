import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import type { AccountData } from './check-account.js'
import type { TierAccountType, TierScope } from './schema.js'
import { writeVersion } from './write-version.js'

interface NewAccountRow extends AccountData {
  provider_id: string
  type: TierAccountType
  scopes?: readonly TierScope[] | undefined
  environment?: string | undefined
  parent_id?: string | null | undefined
  hub_id?: string | null | undefined
}

/** Writes an account under this id with its first version. Undefined: the id or an external one is taken, and nothing was written. */
export async function insertAccount (
  trx: Transaction<Database>, id: string, account: NewAccountRow, actor: string | null
): Promise<{ id: string } | undefined> {
  const { provider_id, type, name, external_id, external_uid, tax_id, contact_info, scopes = [], environment = 'production', parent_id = null, hub_id = null } = account
  const made = await trx.insertInto('tier_accounts').values({
    provider_id,
    id,
    type,
    name,
    external_id,
    external_uid: external_uid === '' ? randomUUID() : external_uid,
    tax_id,
    contact_info: JSON.stringify(contact_info),
    scopes: [...scopes],
    environment,
    parent_id,
    hub_id,
  }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
  if (made === undefined) return undefined
  await writeVersion(trx, provider_id, id)
  await recordEvent(trx, { account_id: provider_id, type: 'tier_account.created', subject_id: id, actor, data: { type } })
  return made
}
