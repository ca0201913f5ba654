import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import { seal, type Keyring } from '../sealing.js'
import type { Checkout } from './checkout.js'
import { checkouts, type CheckoutKind } from './checkouts.js'
import { secretContext } from './find-source.js'

export interface NewSource { account_id: string, kind: CheckoutKind, name: string, mode: 'live' | 'test', secret?: string | undefined }

/**
 * The secret given, or a new one where the checkout takes one of ours.
 *
 * @throws Problem validation-failed  it has not the form that the checkout's secrets have, or has to be given
 */
export function secretOf (kind: CheckoutKind, given: string | undefined): string {
  const { make, pattern, form }: Checkout['secret'] = checkouts[kind].secret
  const secret = given ?? make?.()
  if (secret === undefined) throw fault(`is required: the checkout makes it; ${form}`)
  if (!pattern.test(secret)) throw fault(`must be ${form}`)
  return secret
}

function fault (what: string): Problem {
  return new Problem('validation-failed', { detail: `secret: ${what}`, errors: [`secret: ${what}`] })
}

/**
 * Makes a payment source with one signing secret: the one given, or a new one. The secret is returned here and never again.
 *
 * @throws Problem validation-failed
 */
export async function createSource (trx: Transaction<Database>, keyring: Keyring, source: NewSource, actor: string): Promise<{ id: string, secret: string }> {
  const { account_id, kind, name, mode } = source
  const secret = secretOf(kind, source.secret)
  const id = newId('PS')
  const secret_id = newId('PS')
  await trx.insertInto('payment_sources').values({ account_id, id, kind, name, mode }).execute()
  await trx.insertInto('payment_source_secrets')
    .values({ account_id, source_id: id, id: secret_id, sealed: seal(keyring, secretContext(account_id, id, secret_id), Buffer.from(secret)) }).execute()
  await recordEvent(trx, { account_id, type: 'payment_source.created', subject_id: id, actor, data: { kind, mode } })
  return { id, secret }
}
