import { sql, type RawBuilder } from 'kysely'

/** A license in a chain of replacements. */
export interface Chain {
  /** the bad one in whose place it came */
  replaces: string | null
  /** the one that came in its place */
  replaced_by: string | null
}

/** The columns of {@link Chain}. `row`: the name of what has account_id and the license: `l` of licenses, `a` of allocations. */
export function chainOf (row: 'l' | 'a'): RawBuilder<Chain> {
  const [account_id, id] = [sql.ref(`${row}.account_id`), sql.ref(row === 'l' ? 'l.id' : 'a.license_id')]
  return sql`
    (select r.license_id from license_revocations r where r.account_id = ${account_id} and r.replaced_by = ${id}) as replaces,
    (select r.replaced_by from license_revocations r where r.account_id = ${account_id} and r.license_id = ${id}) as replaced_by`
}
