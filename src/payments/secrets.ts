import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import { seal, type Keyring } from '../sealing.js'
import type { Checkout } from './checkout.js'
import { checkouts, type CheckoutKind } from './checkouts.js'
import { secretContext, type Source } from './find-source.js'

type SourceId = Pick<Source, 'account_id' | 'id'>

const SECRETS_MAX = 10 // each costs every webhook one more check

/** The signing secrets of a source that are valid, without themselves. In no order: for a list to narrow. */
export function secretsOf (db: Kysely<Database>, { account_id, id }: SourceId) {
  return db.selectFrom('payment_source_secrets').select(['id', 'created_at', 'expires_at']).where('account_id', '=', account_id).where('source_id', '=', id)
    .where(({ or, eb }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<Date>`now()`)]))
}

/**
 * The secret given, or a new one where the checkout takes one of ours.
 *
 * @throws Problem validation-failed  it has not the form that the checkout's secrets have, or has to be given
 */
export function secretFor (kind: CheckoutKind, given: string | undefined): string {
  const { make, pattern, form }: Checkout['secret'] = checkouts[kind].secret
  const secret = given ?? make?.()
  if (secret === undefined) throw fault(`is required, as the checkout makes it: ${form}`)
  if (!pattern.test(secret)) throw fault(`must be ${form}`)
  return secret
}

function fault (what: string): Problem {
  return new Problem('validation-failed', { detail: `secret: ${what}`, errors: [`secret: ${what}`] })
}

/** Seals a signing secret. Returns its id. */
export async function insertSecret (trx: Transaction<Database>, keyring: Keyring, { account_id, id: source_id }: SourceId, secret: string): Promise<string> {
  const id = newId('SS')
  await trx.insertInto('payment_source_secrets')
    .values({ account_id, source_id, id, sealed: seal(keyring, secretContext(account_id, source_id, id), Buffer.from(secret)) }).execute()
  return id
}

export interface NewSecret {
  secret?: string | undefined
  /** how long the others stay valid; absent: until they are deleted */
  expires_others_in_s?: number | undefined
}

/**
 * Gives a source another signing secret, valid beside the others: the one given, or a new one. The secret is returned here and never again.
 *
 * @throws Problem payment-source-not-found
 * @throws Problem validation-failed
 * @throws Problem too-many-secrets
 */
export async function addSecret (
  trx: Transaction<Database>, keyring: Keyring, source: SourceId & { actor: string }, { secret: given, expires_others_in_s }: NewSecret
): Promise<{ id: string, secret: string }> {
  const { account_id, id: source_id, actor } = source
  const secret = secretFor(await lockSource(trx, source), given)
  if (expires_others_in_s !== undefined) {
    await trx.updateTable('payment_source_secrets')
      .set({ expires_at: sql<Date>`least(expires_at, now() + ${expires_others_in_s} * interval '1 s')` }) // least() passes over null
      .where('account_id', '=', account_id).where('source_id', '=', source_id).execute()
  }
  if ((await secretsOf(trx, source).execute()).length >= SECRETS_MAX) throw new Problem('too-many-secrets')
  const id = await insertSecret(trx, keyring, source, secret)
  const data = { secret_id: id, expires_others_in_s: expires_others_in_s ?? null }
  await recordEvent(trx, { account_id, type: 'payment_source.secret_added', subject_id: source_id, actor, data })
  return { id, secret }
}

/**
 * Forgets a signing secret: what is signed with it is refused, on other processes within a second.
 *
 * @throws Problem payment-source-not-found
 * @throws Problem payment-source-secret-not-found
 * @throws Problem last-secret
 */
export async function removeSecret (trx: Transaction<Database>, source: SourceId & { actor: string }, secret_id: string): Promise<void> {
  const { account_id, id, actor } = source
  await lockSource(trx, source)
  const valid = await secretsOf(trx, source).execute()
  if (!valid.some((secret) => secret.id === secret_id)) throw new Problem('payment-source-secret-not-found')
  if (!valid.some((secret) => secret.id !== secret_id && secret.expires_at === null)) throw new Problem('last-secret')
  await trx.deleteFrom('payment_source_secrets').where('account_id', '=', account_id).where('source_id', '=', id).where('id', '=', secret_id).execute()
  await recordEvent(trx, { account_id, type: 'payment_source.secret_removed', subject_id: id, actor, data: { secret_id } })
}

/** So that of two who remove the last two secrets the second finds it. @throws Problem payment-source-not-found */
async function lockSource (trx: Transaction<Database>, { account_id, id }: SourceId): Promise<CheckoutKind> {
  const source = await trx.selectFrom('payment_sources').select('kind').where('account_id', '=', account_id).where('id', '=', id)
    .where('deleted_at', 'is', null).forNoKeyUpdate().$narrowType<{ kind: CheckoutKind }>().executeTakeFirst()
  if (source === undefined) throw new Problem('payment-source-not-found')
  return source.kind
}
