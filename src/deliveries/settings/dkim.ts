import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { plainAddress } from '../../mailer/address.js'
import { invalid } from '../../problems.js'
import { open, seal, type Keyring } from '../../sealing.js'

const RSA_BITS = 2048 // RFC 8301 §3.2; a longer one does not fit one UDP answer of DNS

const contextOf = (account_id: string, domain: string, selector: string): string[] => ['dkim', account_id, domain, selector]

/** A pair of keys: the public one as DNS has it, the private one as PEM. Takes a moment: not for within a transaction. */
export async function makeDkimKeys (): Promise<{ public_key: string, private_key: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS })
  return {
    public_key: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

/**
 * Signs the account's mails from the domain with these keys from now on, in place of any before. The private key is sealed.
 *
 * @throws Problem validation-failed  it is no domain
 */
export async function setDkim (
  trx: Transaction<Database>, keyring: Keyring, { account_id, actor }: { account_id: string, actor: string },
  { domain: given, selector, public_key, private_key }: { domain: string, selector: string } & Awaited<ReturnType<typeof makeDkimKeys>>
): Promise<void> {
  const domain = plainAddress(`x@${given}`)?.slice(2).toLowerCase()
  if (domain === undefined) throw invalid('domain: is not the name of a domain, like example.com')
  const dkim_sealed_key = seal(keyring, contextOf(account_id, domain, selector), Buffer.from(private_key))
  const dkim = { dkim_domain: domain, dkim_selector: selector, dkim_public_key: public_key, dkim_sealed_key }
  await trx.insertInto('mail_settings').values({ account_id, ...dkim })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...dkim, updated_at: sql<Date>`now()` })).execute()
  await recordEvent(trx, { account_id, type: 'mail_settings.dkim_set', subject_id: account_id, actor, data: { domain, selector } })
}

/** Signs no more. There being no key is fine. */
export async function removeDkim (trx: Transaction<Database>, account_id: string, actor: string): Promise<void> {
  const removed = await trx.updateTable('mail_settings')
    .set({ dkim_domain: null, dkim_selector: null, dkim_public_key: null, dkim_sealed_key: null, updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('dkim_domain', 'is not', null).executeTakeFirst()
  if (removed.numUpdatedRows > 0n) await recordEvent(trx, { account_id, type: 'mail_settings.dkim_removed', subject_id: account_id, actor })
}

/** The private key in clear, for the mailer alone. */
export function openDkimKey (keyring: Keyring, account_id: string, { domain, selector, sealed }: { domain: string, selector: string, sealed: Buffer }): string {
  return open(keyring, contextOf(account_id, domain, selector), sealed).toString()
}
