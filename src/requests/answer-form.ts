import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ParamWrite } from '../parameters/schema.js'
import type { Keyring } from '../sealing.js'
import { findByCode } from './find-form.js'
import { pendRequest } from './pend.js'
import { lockOwnRequest } from './request-row.js'

/**
 * Makes a request pending with what its buyer answered. The buyer has the code of the form, which ends with that. The caller calls
 * wakeWorker() after the commit.
 *
 * @throws Problem request-not-found  the code is wrong, or was used
 * @throws Problem validation-failed  of the answers
 */
export async function answerForm (
  trx: Transaction<Database>, keyring: Keyring, { id, code }: { id: string, code: string }, answers: readonly ParamWrite[]
): Promise<void> {
  const { account_id } = await findByCode(trx, id, code)
  await lockOwnRequest(trx, account_id, id)
  // looked for again under the lock: of two who send the form, one is late
  await pendRequest(trx, keyring, await findByCode(trx, id, code), { side: 'provider', key_id: null }, answers)
}
