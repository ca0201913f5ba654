import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { openKeys } from '../licenses/open-keys.js'
import { open, seal, type Keyring } from '../sealing.js'
import { groupBy } from './group-by.js'

/** Whose value it is: a request, an asset, a tier configuration or its request. */
export interface Owner { account_id: string, owner_id: string }

interface Row extends Owner {
  parameter_id: string
  value: string | null
  structured_value: object | null
  sealed: Buffer | null
  license_ids: string[] | null
  value_error: string
  structured_error: object | null
}

/** A value in clear: `text` is the value, opened where it was sealed; of a pool it is the license keys, one per line. */
export interface StoredValue extends Omit<Row, 'value'> { text: string }

/** What a sealed value is bound to. */
export const contextOf = ({ account_id, owner_id, parameter_id }: Owner & { parameter_id: string }): string[] => [account_id, owner_id, parameter_id]

/** The values of some owners, in clear. Two statements, and one more per vendor for keys from pools. */
export async function storedValues (db: Reader, keyring: Keyring, owners: readonly Owner[]): Promise<StoredValue[]> {
  const distinct = [...new Map(owners.map((owner) => [`${owner.account_id}/${owner.owner_id}`, owner])).values()]
  const { rows } = await sql<Row>`
    select v.account_id, v.owner_id, v.parameter_id, v.value, v.structured_value, v.sealed, v.license_ids, v.value_error, v.structured_error
    from unnest(${distinct.map(({ account_id }) => account_id)}::text[], ${distinct.map(({ owner_id }) => owner_id)}::text[]) as of (account_id, owner_id)
    join parameter_values v on v.account_id = of.account_id and v.owner_id = of.owner_id`.execute(db)
  const keys = await keysOf(db, keyring, rows)
  return rows.map(({ value, ...row }) => ({ ...row, text: textOf(keyring, { value, ...row }, keys) }))
}

async function keysOf (db: Reader, keyring: Keyring, rows: readonly Row[]): Promise<ReadonlyMap<string, string>> {
  const byAccount = groupBy(rows.filter(({ license_ids }) => license_ids !== null), ({ account_id }) => account_id)
  const keys = new Map<string, string>()
  for (const [account_id, ofAccount] of byAccount) {
    const opened = await openKeys(db, keyring, account_id, ofAccount.flatMap(({ license_ids }) => license_ids ?? []))
    for (const [license_id, key] of opened) keys.set(license_id, key)
  }
  return keys
}

function textOf (keyring: Keyring, row: Row, keys: ReadonlyMap<string, string>): string {
  if (row.sealed !== null) return open(keyring, contextOf(row), row.sealed).toString()
  if (row.license_ids !== null) return row.license_ids.map((license_id) => keys.get(license_id) ?? '').join('\n')
  return row.value ?? ''
}

/** A value to keep; `secret`: sealed. */
export interface NewValue {
  parameter_id: string
  secret: boolean
  text: string
  structured_value: object | null
  value_error: string
  structured_error: object | null
}

/** Keeps values of one owner in place of what it had under these parameters, in one statement. */
export async function keepValues (trx: Transaction<Database>, keyring: Keyring, { account_id, owner_id }: Owner, values: readonly NewValue[]): Promise<void> {
  if (values.length === 0) return
  const json = (value: object | null): string | null => value === null ? null : JSON.stringify(value)
  const sealed = values.map(({ secret, text, parameter_id }) =>
    secret && text !== '' ? seal(keyring, contextOf({ account_id, owner_id, parameter_id }), Buffer.from(text)) : null)
  await sql`
    insert into parameter_values as v (account_id, owner_id, parameter_id, value, structured_value, sealed, value_error, structured_error)
    select ${account_id}, ${owner_id}, n.parameter_id, n.value, n.structured_value::jsonb, n.sealed, n.value_error, n.structured_error::jsonb
    from unnest(${values.map(({ parameter_id }) => parameter_id)}::text[], ${values.map(({ secret, text }) => secret || text === '' ? null : text)}::text[],
      ${values.map(({ structured_value }) => json(structured_value))}::text[], ${sealed}::bytea[],
      ${values.map(({ value_error }) => value_error)}::text[], ${values.map(({ structured_error }) => json(structured_error))}::text[])
      as n (parameter_id, value, structured_value, sealed, value_error, structured_error)
    on conflict (account_id, owner_id, parameter_id) do update set
      value = excluded.value, structured_value = excluded.structured_value, sealed = excluded.sealed, license_ids = null,
      value_error = excluded.value_error, structured_error = excluded.structured_error, updated_at = now()`.execute(trx)
}
