import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** A value of a parameter whose values must be unique. */
export interface Candidate { parameter_id: string, text: string }

/** What is said of a value that another has. */
export const TAKEN = 'must be unique, and is in use elsewhere'

/**
 * The parameters among these whose value another owner has. `others`, a condition on `v.owner_id`, says which owners count.
 * Who wants the same value at the same moment waits until this transaction ends: looked for afterwards, it is seen.
 */
export async function findTaken (
  trx: Transaction<Database>, account_id: string, others: RawBuilder<SqlBool>, candidates: readonly Candidate[]
): Promise<ReadonlySet<string>> {
  if (candidates.length === 0) return new Set()
  const locks = candidates.map(({ parameter_id, text }) => ['value', account_id, parameter_id, text].join('\n')).sort()
  await sql`select pg_advisory_xact_lock(hashtextextended(lock, 0)) from unnest(${locks}::text[]) as lock`.execute(trx)
  const { rows } = await sql<{ parameter_id: string }>`
    select distinct v.parameter_id
    from unnest(${candidates.map(({ parameter_id }) => parameter_id)}::text[], ${candidates.map(({ text }) => text)}::text[]) as wanted (parameter_id, value)
    join parameter_values v on v.account_id = ${account_id} and v.parameter_id = wanted.parameter_id and v.value = wanted.value
    where ${others}`.execute(trx)
  return new Set(rows.map(({ parameter_id }) => parameter_id))
}
