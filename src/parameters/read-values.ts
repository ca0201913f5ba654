import { atOnce } from '../database/at-once.js'
import type { Reader } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { definitionsOfProducts, type Definition, type Scope } from './definitions.js'
import { groupBy } from './group-by.js'
import type { Param } from './schema.js'
import { storedValues, type Owner, type StoredValue } from './stored-values.js'

/** Whose parameters are read; `instead_id`: whose values count as long as the owner has none at all. */
interface ParamOwner extends Owner { product_id: string, instead_id?: string | undefined }

interface Reading {
  scopes: readonly Scope[]
  /** the provider is not shown fulfillment parameters that are shared with "none" */
  side: 'vendor' | 'provider'
  /** copies for billing and for validators are without secret parameters */
  without_secrets?: boolean
}

/** The parameters of one of the owners that were asked for. By account too: two vendors may have assets and requests of the same id. */
export type ParamsOf = (owner: Owner) => Param[]

/** The parameters of one owner, as {@link readValues} has them. */
export async function readParams (db: Reader, keyring: Keyring, owner: ParamOwner, reading: Reading): Promise<Param[]> {
  return (await readValues(db, keyring, [owner], reading))(owner)
}

/**
 * The parameters of each owner with their values in clear; one without a value has "". For an answer to the vendor or the
 * provider of the owner, and nowhere else. A constant number of statements for any number of owners, but for keys from the pools of several vendors.
 */
export async function readValues (
  db: Reader, keyring: Keyring, owners: readonly ParamOwner[], { scopes, side, without_secrets = false }: Reading
): Promise<ParamsOf> {
  if (owners.length === 0) return () => []
  const instead = owners.flatMap(({ account_id, instead_id }) => instead_id === undefined ? [] : [{ account_id, owner_id: instead_id }])
  const isShown = (definition: Definition): boolean => (side === 'vendor' || isShownToProvider(definition)) && !(without_secrets && definition.secret)
  const [defined, stored] = await atOnce(db, [() => definitionsOfProducts(db, owners, scopes), () => storedValues(db, keyring, [...owners, ...instead])])
  const [definitions, values] = [groupBy(defined.filter(isShown), keyOfProduct), groupBy(stored, keyOf)]
  const params = new Map(owners.map((owner) => {
    const { account_id, owner_id, instead_id = owner_id } = owner
    const ofOwner = values.get(keyOf(owner)) ?? values.get(keyOf({ account_id, owner_id: instead_id })) ?? []
    const byParameter = new Map(ofOwner.map((value) => [value.parameter_id, value]))
    return [keyOf(owner), (definitions.get(keyOfProduct(owner)) ?? []).map((definition) => paramOf(definition, byParameter.get(definition.id)))]
  }))
  return (owner) => params.get(keyOf(owner)) ?? []
}

const keyOf = ({ account_id, owner_id }: Owner): string => `${account_id}/${owner_id}`
const keyOfProduct = ({ account_id, product_id }: { account_id: string, product_id: string }): string => `${account_id}/${product_id}`

/** What the buyer gave is the provider's to see, whatever the vendor says of it. */
const isShownToProvider = ({ phase, constraints }: Pick<Definition, 'phase' | 'constraints'>): boolean => phase === 'ordering' || constraints.shared !== 'none'

function paramOf (definition: Definition, value: StoredValue | undefined): Param {
  const { name, title, description, hint, placeholder, type, scope, phase, constraints } = definition
  return {
    id: name,
    name,
    title,
    description,
    hint,
    placeholder,
    type,
    scope,
    phase,
    value: value?.text ?? '',
    value_error: value?.value_error ?? '',
    ...(value?.structured_value ? { structured_value: value.structured_value } : {}),
    ...(value?.structured_error ? { structured_error: value.structured_error } : {}),
    value_choices: constraints.choices,
    constraints,
    reconciliation: constraints.reconciliation,
  }
}
