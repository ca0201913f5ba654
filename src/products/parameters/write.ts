import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { partId } from '../../ids.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'
import { lockProduct } from '../lock.js'
import { checkParameter, type ParameterColumns } from './check.js'
import { storedConstraints } from './constraints.js'
import { parametersOf } from './find.js'
import type { NewParameter, ParameterChange } from './schema.js'

/** What stored values were written under. */
const FIXED_BY_VALUES = ['name', 'type', 'scope', 'phase', 'secret'] as const

/**
 * Adds a parameter to a product and returns its id, whose number is never used again.
 *
 * @throws Problem product-not-found
 * @throws Problem validation-failed  see checkParameter; a pool that is not the account's, or of the other mode
 * @throws Problem name-taken
 */
export async function createParameter (trx: Transaction<Database>, key: ProductKey, given: Static<typeof NewParameter>, actor: string | null): Promise<string> {
  const { account_id, product_id } = key
  const product = await trx.updateTable('products').set({ parameters_made: sql<number>`parameters_made + 1` })
    .where('account_id', '=', account_id).where('id', '=', product_id).returning('parameters_made as number').executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  const id = partId(product_id, 'PRM', product.number, 4)
  const { name, phase } = given
  const parameter = merged({
    name,
    title: name,
    description: '',
    type: 'text',
    scope: phase === 'configuration' ? 'product' : 'asset',
    phase,
    hint: '',
    placeholder: '',
    constraints: storedConstraints({}),
    position: product.number,
    secret: false,
    pool_id: null,
    test_pool_id: null,
  }, given)
  await check(trx, key, id, parameter)
  await trx.insertInto('product_parameters').values({ ...key, id, ...parameter, constraints: JSON.stringify(parameter.constraints) }).execute()
  await recordEvent(trx, { account_id, type: 'product.parameter_created', subject_id: product_id, actor, data: { parameter_id: id } })
  return id
}

/**
 * Replaces what is given of a parameter. Waits for those who write values of it.
 *
 * @throws Problem parameter-not-found
 * @throws Problem validation-failed  see checkParameter; a pool that is not the account's, or of the other mode
 * @throws Problem name-taken
 * @throws Problem parameter-in-use  it has values, which would mean something else
 */
export async function updateParameter (
  trx: Transaction<Database>, key: ProductKey, { id, change }: { id: string, change: Static<typeof ParameterChange> }, actor: string
): Promise<void> {
  const { account_id, product_id } = key
  await lockProduct(trx, key)
  const before = await parametersOf(trx, key).where('id', '=', id).forUpdate().executeTakeFirst()
  if (before === undefined) throw new Problem('parameter-not-found')
  const { id: _, created_at, updated_at, constraints, ...rest } = before
  const stored: ParameterColumns = { ...rest, constraints: storedConstraints(constraints) }
  const parameter = merged(stored, change)
  await check(trx, key, id, parameter)
  const changed = FIXED_BY_VALUES.filter((field) => stored[field] !== parameter[field])
  if (changed.length > 0 && await hasValues(trx, account_id, id)) {
    throw new Problem('parameter-in-use', { detail: `${changed.join(', ')} cannot change now: there are values; make another parameter`, params: { fields: changed } })
  }
  await trx.updateTable('product_parameters').set({ ...parameter, constraints: JSON.stringify(parameter.constraints), updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).execute()
  const fields = Object.keys(change).filter((field) => field in parameter)
  await recordEvent(trx, { account_id, type: 'product.parameter_updated', subject_id: product_id, actor, data: { parameter_id: id, fields } })
}

/**
 * Deletes a parameter that no request, asset or tier configuration has a value of, with what was set up for it.
 *
 * @throws Problem parameter-not-found
 * @throws Problem parameter-in-use
 */
export async function deleteParameter (trx: Transaction<Database>, key: ProductKey, id: string, actor: string): Promise<void> {
  const { account_id, product_id } = key
  await trx.deleteFrom('product_configurations').where('account_id', '=', account_id).where('product_id', '=', product_id).where('parameter_id', '=', id).execute()
  await unlessUsed(async () => {
    const { numDeletedRows } = await trx.deleteFrom('product_parameters')
      .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
    if (numDeletedRows === 0n) throw new Problem('parameter-not-found')
  }, 'parameter-in-use', 'make it optional and hidden instead')
  await recordEvent(trx, { account_id, type: 'product.parameter_deleted', subject_id: product_id, actor, data: { parameter_id: id } })
}

/** A parameter with what is given in place of what was. Hint, placeholder and default count at the top before those among the constraints. */
function merged (before: ParameterColumns, given: Static<typeof ParameterChange>): ParameterColumns {
  const { type = before.type, pool_id = before.pool_id, test_pool_id = before.test_pool_id, constraints, default: given_default } = given
  const restrained = constraints === undefined ? before.constraints : storedConstraints(constraints ?? {})
  const isAlwaysSecret = type === 'password' || pool_id !== null || test_pool_id !== null
  return {
    name: given.name ?? before.name,
    title: given.title ?? before.title,
    description: given.description ?? before.description,
    type,
    scope: given.scope ?? before.scope,
    phase: given.phase ?? before.phase,
    hint: given.hint ?? constraints?.hint ?? before.hint,
    placeholder: given.placeholder ?? constraints?.placeholder ?? before.placeholder,
    constraints: given_default === undefined ? restrained : { ...restrained, default: given_default },
    position: given.position ?? before.position,
    secret: given.secret ?? (isAlwaysSecret || before.secret),
    pool_id,
    test_pool_id,
  }
}

async function check (trx: Transaction<Database>, key: ProductKey, id: string, parameter: ParameterColumns): Promise<void> {
  const errors = [...checkParameter(parameter), ...await checkPools(trx, key.account_id, parameter)]
  if (errors.length > 0) throw new Problem('validation-failed', { detail: errors.join('; '), errors })
  const taken = await parametersOf(trx, key).where('name', '=', parameter.name).where('id', '<>', id).executeTakeFirst()
  if (taken === undefined) return
  const fault = `name: ${taken.id} has it`
  throw new Problem('name-taken', { detail: fault, errors: [fault], params: { parameter_id: taken.id } })
}

async function checkPools (trx: Transaction<Database>, account_id: string, { pool_id, test_pool_id }: ParameterColumns): Promise<string[]> {
  const wanted = [{ field: 'pool_id', id: pool_id, mode: 'live' }, { field: 'test_pool_id', id: test_pool_id, mode: 'test' }].filter(({ id }) => id !== null)
  if (wanted.length === 0) return []
  const pools = await trx.selectFrom('pools').select(['id', 'mode']).where('account_id', '=', account_id).where('id', 'in', wanted.map(({ id }) => id!)).execute()
  return wanted.flatMap(({ field, id, mode }) => {
    const pool = pools.find((each) => each.id === id)
    if (pool === undefined) return [`${field}: the account has no such pool`]
    return pool.mode === mode ? [] : [`${field}: is a ${pool.mode} pool; here belongs a ${mode} one`]
  })
}

async function hasValues (trx: Transaction<Database>, account_id: string, id: string): Promise<boolean> {
  const { rows: [found] } = await sql<{ has: boolean }>`
    select exists (select from parameter_values where account_id = ${account_id} and parameter_id = ${id})
      or exists (select from product_configurations where account_id = ${account_id} and parameter_id = ${id}) as has`.execute(trx)
  return found?.has === true
}
