import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { findTaken, TAKEN } from './find-taken.js'
import { storedValues } from './stored-values.js'
import type { Target } from './write-values.js'

/**
 * Looks again at the values of a draft that is asked for now: others may have got them since they were written.
 *
 * @throws Problem validation-failed
 */
export async function assertUnique (
  trx: Transaction<Database>, keyring: Keyring, { account_id, owner_id, definitions, others, path = 'asset.params' }: Omit<Target, 'mode' | 'side'>
): Promise<void> {
  const names = new Map(definitions.filter(({ constraints }) => constraints.unique).map(({ id, name }) => [id, name]))
  if (names.size === 0) return
  const values = await storedValues(trx, keyring, [{ account_id, owner_id }])
  const taken = await findTaken(trx, account_id, others, values.filter(({ parameter_id, text }) => names.has(parameter_id) && text !== ''))
  if (taken.size === 0) return
  const faults = [...taken].map((parameter_id) => `${path}.${names.get(parameter_id) ?? ''}: ${TAKEN}`)
  throw new Problem('validation-failed', { detail: faults.join('; '), errors: faults })
}
