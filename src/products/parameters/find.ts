import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'
import type { ParameterColumns } from './check.js'
import { constraintsBody, type StoredConstraints } from './constraints.js'

type Row = ParameterColumns & { id: string, created_at: Date, updated_at: Date }

/** The parameters of a product: for reading one and for lists. */
export function parametersOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('product_parameters')
    .select(['id', 'name', 'title', 'description', 'hint', 'placeholder', 'position', 'secret', 'pool_id', 'test_pool_id', 'created_at', 'updated_at'])
    .select((row) => [
      row.ref('type').$castTo<Row['type']>().as('type'),
      row.ref('scope').$castTo<Row['scope']>().as('scope'),
      row.ref('phase').$castTo<Row['phase']>().as('phase'),
      row.ref('constraints').$castTo<StoredConstraints>().as('constraints'),
    ])
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}

/** A parameter in Connect's shape; its pools are for its vendor alone. */
export function parameterBody ({ pool_id, test_pool_id, created_at, updated_at, ...parameter }: Row, is_owner: boolean) {
  const constraints = constraintsBody(parameter.constraints, parameter)
  return {
    ...parameter,
    ...(constraints.default === null ? {} : { default: constraints.default }),
    constraints,
    ...(is_owner ? { pool_id, test_pool_id } : {}),
    events: { created: { at: created_at }, updated: { at: updated_at } },
  }
}

/** @throws Problem parameter-not-found */
export async function findParameter (db: Reader, key: ProductKey, id: string, is_owner: boolean) {
  const parameter = await parametersOf(db, key).where('id', '=', id).executeTakeFirst()
  if (parameter === undefined) throw new Problem('parameter-not-found')
  return parameterBody(parameter, is_owner)
}
