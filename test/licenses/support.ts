import type { LoadReport } from '../../src/licenses/merge.js'
import { newId } from '../../src/ids.js'
import { open } from '../../src/sealing.js'
import type { TestApp } from '../support/app.js'

type Service = Pick<TestApp, 'app' | 'db' | 'keyring' | 'vendor'>

/** A pool of a product that nobody orders: for tests of its stock. */
export async function addPool ({ db, vendor }: Service, { account_id = vendor.account_id, mode = 'live' } = {}): Promise<string> {
  const id = newId('PL')
  const product_id = `PRD-of-${id}`
  await db.insertInto('pools').values({ account_id, id, name: 'pool', product_ids: [product_id], mode, quantity_rule: 'unit', on_shortage: 'backorder' }).execute()
  await db.insertInto('pool_routes').values({ account_id, mode, product_id, currency: '', rank: 1, pool_id: id }).execute()
  return id
}

interface Sent { type?: string, query?: string, headers?: Record<string, string> }
interface Answer { statusCode: number, headers: Record<string, unknown>, text: string, body: LoadReport & { batch_id: string } }

/** Loads over HTTP, one license per line unless another type is named. */
export async function load ({ app, vendor }: Service, pool_id: string, bytes: string | Buffer, { type = 'text/plain', query = '', headers = {} }: Sent = {}): Promise<Answer> {
  const answer = await app.inject({
    method: 'POST', url: `/v1/pools/${pool_id}/licenses${query}`, headers: { authorization: vendor.authorization, 'content-type': type, ...headers }, payload: bytes,
  })
  return { statusCode: answer.statusCode, headers: answer.headers, text: answer.body, body: answer.json() }
}

/** The keys in stock, in the order in which orders will get them. */
export async function keysOf ({ db, keyring, vendor }: Service, pool_id: string, account_id = vendor.account_id): Promise<string[]> {
  const rows = await db.selectFrom('stock').innerJoin('licenses', (join) => join.onRef('licenses.account_id', '=', 'stock.account_id').onRef('licenses.id', '=', 'stock.license_id'))
    .select(['licenses.id', 'licenses.sealed']).where('stock.account_id', '=', account_id).where('stock.pool_id', '=', pool_id).orderBy('position').execute()
  return rows.map(({ id, sealed }) => open(keyring, [account_id, pool_id, id], sealed).toString())
}

/** How many rows loads have left, over all accounts. */
export async function traces ({ db }: Service): Promise<{ licenses: number, stock: number, staged: number, batches: number }> {
  const count = async (table: 'licenses' | 'stock' | 'staged_licenses' | 'batches'): Promise<number> =>
    Number((await db.selectFrom(table).select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow()).count)
  return { licenses: await count('licenses'), stock: await count('stock'), staged: await count('staged_licenses'), batches: await count('batches') }
}
