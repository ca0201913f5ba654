import type { Reader } from '../database/connect.js'
import { invalid } from '../problems.js'

/** Whom something is given to: an API key, by its id or e-mail. */
export interface Assignment { id?: string | null | undefined, email?: string | null | undefined }

/**
 * The API key that an assignment names; undefined: it names nobody.
 *
 * @throws Problem validation-failed  the account has no such key
 */
export async function findAssignee (db: Reader, account_id: string, { id, email }: Assignment): Promise<string | undefined> {
  if (!id && !email) return undefined
  const key = await db.selectFrom('api_keys').select('id').where('account_id', '=', account_id).where('revoked_at', 'is', null)
    .where(id ? 'id' : 'email', '=', id || email!).orderBy('id').executeTakeFirst()
  if (key === undefined) throw invalid(`${id ? 'id' : 'email'}: the vendor has no such user`)
  return key.id
}
