import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { constraintsBody } from '../products/parameters/constraints.js'
import type { PHASES, SCOPES, TYPES } from './schema.js'

export type Scope = typeof SCOPES[number]

/** As Connect shows them; `shared`: what the other side may do with it. A fulfillment parameter shared with "none" is not shown to the provider. */
export type Constraints = ReturnType<typeof constraintsBody>

/** What a product asks for under one name. */
export interface Definition {
  account_id: string
  product_id: string
  id: string
  name: string
  title: string
  description: string
  type: typeof TYPES[number]
  scope: Scope
  phase: typeof PHASES[number]
  hint: string
  placeholder: string
  constraints: Constraints
  /** its values are sealed */
  secret: boolean
  /** where its values are taken from, for live and for test purchases */
  pool_id: string | null
  test_pool_id: string | null
}

/** The parameters of a product in the order that it shows them. */
export async function definitionsOf (db: Reader, account_id: string, product_id: string, scopes: readonly Scope[]): Promise<Definition[]> {
  return definitionsOfProducts(db, [{ account_id, product_id }], scopes)
}

/** The same for who writes values: until the transaction ends no parameter is made secret, changed in what it means, or deleted. */
export async function lockDefinitionsOf (trx: Transaction<Database>, account_id: string, product_id: string, scopes: readonly Scope[]): Promise<Definition[]> {
  return readDefinitions(trx, [{ account_id, product_id }], scopes, sql`for key share of p`)
}

type Products = ReadonlyArray<{ account_id: string, product_id: string }>

/** The parameters of several products, each product's in its order. */
export async function definitionsOfProducts (db: Reader, products: Products, scopes: readonly Scope[]): Promise<Definition[]> {
  return readDefinitions(db, products, scopes, sql``)
}

async function readDefinitions (db: Reader, products: Products, scopes: readonly Scope[], lock: RawBuilder<unknown>): Promise<Definition[]> {
  const distinct = [...new Map(products.map((product) => [`${product.account_id}/${product.product_id}`, product])).values()]
  const { rows } = await sql<Definition>`
    select p.account_id, p.product_id, p.id, p.name, p.title, p.description, p.type, p.scope, p.phase, p.hint, p.placeholder, p.constraints,
      p.secret, p.pool_id, p.test_pool_id
    from unnest(${distinct.map(({ account_id }) => account_id)}::text[], ${distinct.map(({ product_id }) => product_id)}::text[]) as of (account_id, product_id)
    join product_parameters p on p.account_id = of.account_id and p.product_id = of.product_id
    where p.scope = any(${scopes}::text[])
    order by p.product_id, p.position, p.id ${lock}`.execute(db)
  return rows.map((row) => ({ ...row, constraints: constraintsBody(row.constraints, row) }))
}
