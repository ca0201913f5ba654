import type { Reader } from '../database/connect.js'
import { readParams } from '../parameters/read-values.js'
import type { Param } from '../parameters/schema.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { findRequest, type Caller } from './request-row.js'

/**
 * The parameters of a request with their values in clear, as its reader may see them.
 *
 * @throws Problem request-not-found
 */
export async function parametersOf (db: Reader, keyring: Keyring, caller: Caller, id: string): Promise<Param[]> {
  const { account_id, product_id } = await findRequest(db, caller, id)
  return readParams(db, keyring, { account_id, owner_id: id, product_id }, { scopes: ['asset'], side: caller.type === 'provider' ? 'provider' : 'vendor' })
}

/**
 * One of them, by its name or its PRM id.
 *
 * @throws Problem request-not-found
 * @throws Problem parameter-not-found
 */
export async function findParameter (db: Reader, keyring: Keyring, caller: Caller, id: string, parameter_id: string): Promise<Param> {
  const params = await parametersOf(db, keyring, caller, id)
  const named = params.find((param) => param.id === parameter_id)
  if (named !== undefined) return named
  const { account_id, product_id } = await findRequest(db, caller, id)
  const definition = await db.selectFrom('product_parameters').select('name')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', parameter_id).executeTakeFirst()
  const found = params.find((param) => param.id === definition?.name)
  if (found === undefined) throw new Problem('parameter-not-found')
  return found
}
