import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'

/**
 * Refuses external ids that another account of the provider has; nothing happens where none does.
 *
 * @throws Problem tier-account-exists
 */
export async function refuseTaken (
  db: Reader, { provider_id, type, external_id, external_uid, id = '' }: { provider_id: string, type: string, external_id: string, external_uid: string, id?: string }
): Promise<void> {
  const other = await db.selectFrom('tier_accounts').select(['id', 'external_uid'])
    .where('provider_id', '=', provider_id).where('deleted_at', 'is', null).where('id', '<>', id)
    .where(({ or, and, eb }) => or([
      eb('external_uid', '=', external_uid),
      and([eb('type', '=', type), eb('external_id', '=', external_id), eb('external_id', '<>', '')]),
    ])).executeTakeFirst()
  if (other === undefined) return
  const field = other.external_uid === external_uid ? 'external_uid' : 'external_id'
  throw new Problem('tier-account-exists', { detail: `${field}: ${other.id} has it`, errors: [`${field}: ${other.id} has it`], params: { id: other.id } })
}
