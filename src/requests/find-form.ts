import { createHash, timingSafeEqual } from 'node:crypto'
import type { Reader } from '../database/connect.js'
import { definitionsOf } from '../parameters/definitions.js'
import { readParams } from '../parameters/read-values.js'
import { renderedText } from '../parameters/rendered-text.js'
import { Problem } from '../problems.js'
import type { RequestRow, Service, Words } from './request-row.js'

const hashOf = (code: string): Buffer => createHash('sha256').update(code).digest()

/**
 * The request whose inquiry form has this code. Compared in constant time; a wrong code is answered as a request that is not there.
 *
 * @throws Problem request-not-found
 */
export async function findByCode (db: Reader, id: string, code: string): Promise<RequestRow> {
  const rows = await db.selectFrom('requests').selectAll().where('id', '=', id).where('form_code', 'is not', null).$narrowType<Words>().execute()
  const row = rows.find(({ form_code }) => timingSafeEqual(hashOf(form_code!), hashOf(code)))
  if (row === undefined) throw new Problem('request-not-found')
  return row
}

/**
 * What a buyer is asked: the text of the inquiry, and the ordering parameters with what is wrong about them. Nothing that the vendor gives.
 * `secrets`: the names of those whose values a page must not show; the text is without them.
 *
 * @throws Problem request-not-found
 */
export async function readForm (db: Reader, { keyring }: Service, id: string, code: string) {
  const row = await findByCode(db, id, code)
  const { account_id, product_id } = row
  const product = await db.selectFrom('products').select(['id', 'name']).where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirstOrThrow()
  const owner = { account_id, owner_id: row.id }
  const ordering = (await readParams(db, keyring, { ...owner, product_id }, { scopes: ['asset'], side: 'provider' })).filter(({ phase }) => phase === 'ordering')
  const secrets = (await definitionsOf(db, account_id, product_id, ['asset'])).filter(({ secret }) => secret).map(({ name }) => name)
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    product,
    message: renderedText(keyring, { ...row, ...owner }, ordering.filter((param) => !secrets.includes(param.id))),
    params: ordering.filter(({ constraints }) => (constraints as { hidden?: boolean }).hidden !== true),
    secrets,
  }
}
