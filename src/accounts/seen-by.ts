import { sql, type RawBuilder, type SqlBool } from 'kysely'

/** Who asks. */
export interface Party { id: string, type: 'operator' | 'vendor' | 'provider' }

/** Of rows that are between a vendor (`account_id`) and a provider (`provider_id`), those that a caller may see: its own, the operator all. */
export function seenBy ({ id, type }: Party, table: string): RawBuilder<SqlBool> {
  if (type === 'operator') return sql`true`
  return sql`${sql.ref(`${table}.${type === 'vendor' ? 'account_id' : 'provider_id'}`)} = ${id}`
}

/** Of a provider's rows, those that a caller may see: its own, a vendor those of the providers that it deals with, the operator all. */
export function seenOfProviders ({ id, type }: Party, table: string): RawBuilder<SqlBool> {
  if (type === 'operator') return sql`true`
  const provider = sql.ref(`${table}.provider_id`)
  if (type === 'provider') return sql`${provider} = ${id}`
  return sql`${provider} in (select provider_id from connections where account_id = ${id} union select provider_id from contracts where account_id = ${id})`
}
