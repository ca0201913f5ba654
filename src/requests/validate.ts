import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ParamWrite } from '../parameters/schema.js'
import type { Keyring } from '../sealing.js'
import { lockOwnRequest, type Actor, type RequestRow } from './request-row.js'
import { assertStatus, assertWritable } from './transitions.js'
import { writeParams } from './write-params.js'

/**
 * Writes parameters of a locked draft or inquiring request, wrong ones too: what is wrong is kept beside them.
 *
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  an unknown parameter
 */
export async function validateRequest (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, writes: readonly ParamWrite[]
): Promise<RequestRow> {
  assertStatus(request, 'validate', ['draft', 'inquiring'])
  assertWritable(request, actor.side)
  await writeParams(trx, keyring, request, actor, writes, { mode: 'validate' })
  return request
}

/** Writes what validators said of a request (ask-validators.ts), if it is still in the state they were asked about. */
export async function applyVerdict (
  trx: Transaction<Database>, keyring: Keyring, { account_id, id, status }: RequestRow, verdict: readonly ParamWrite[]
): Promise<void> {
  const request = await lockOwnRequest(trx, account_id, id)
  if (request?.status === status) await writeParams(trx, keyring, request, { side: 'vendor', key_id: null }, verdict, { mode: 'validate' })
}
