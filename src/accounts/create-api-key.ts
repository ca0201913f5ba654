import { createHash, randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import { Problem } from '../problems.js'
import type { Permission } from './permissions.js'

export interface NewApiKey {
  account_id: string
  name: string
  /** of who uses it */
  email?: string | undefined
  permissions: readonly Permission[]
  expires_at?: string | undefined
}

const SECRET_BYTES = 20 // 160 random bits: not to be guessed, so its plain SHA-256 can be stored
const CHECKSUM_DIGITS = 6

/** `lk_`, 40 random hexadecimal digits and 6 of their SHA-256: a scanner of leaked secrets can tell it from other hexadecimals. */
export function newSecret (): string {
  const random = randomBytes(SECRET_BYTES).toString('hex')
  return `lk_${random}${createHash('sha256').update(random).digest('hex').slice(0, CHECKSUM_DIGITS)}`
}

/**
 * Makes an API key. The secret is returned here and nowhere else: what is stored is its hash.
 *
 * @throws Problem account-not-found
 */
export async function createApiKey (
  trx: Transaction<Database>, { account_id, name, email, permissions, expires_at }: NewApiKey, actor: string | null
): Promise<{ id: string, secret: string }> {
  const account = await trx.selectFrom('accounts').select('id').where('id', '=', account_id).executeTakeFirst()
  if (account === undefined) throw new Problem('account-not-found')
  const secret = newSecret()
  const secret_sha256 = createHash('sha256').update(secret).digest()
  const id = await insertWithNewId(() => newDigitsId('SU', 3), (id) =>
    trx.insertInto('api_keys')
      .values({ id, account_id, name, email: email ?? null, secret_sha256, permissions: [...permissions], expires_at: expires_at ?? null, created_by: actor })
      .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id, type: 'api_key.created', subject_id: id, actor, data: { permissions } })
  return { id, secret }
}
