import { sql, type RawBuilder, type SqlBool } from 'kysely'

/**
 * "Some parameter of the row meets these conditions", for rqlFields: fields of the relation name the columns `pp.name` and `pv.value`.
 * `account` and `owner` are the columns of the list's table that the values are kept under. Only parameters with a value take part, and never
 * secret ones or those that the vendor shares with nobody: a filter would tell who guesses.
 */
export function paramsRelation (account: string, owner: string): (conditions: RawBuilder<SqlBool>) => RawBuilder<SqlBool> {
  return (conditions) => sql`exists (
    select from parameter_values pv join product_parameters pp on pp.account_id = pv.account_id and pp.id = pv.parameter_id
    where pv.account_id = ${sql.ref(account)} and pv.owner_id = ${sql.ref(owner)} and not pp.secret and pv.sealed is null and pv.license_ids is null
      and pp.constraints ->> 'shared' is distinct from 'none' and ${conditions})`
}
