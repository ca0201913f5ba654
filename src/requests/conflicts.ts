import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import type { Connection } from '../distribution/find-connection.js'
import { Problem, type ProblemType } from '../problems.js'
import type { RequestRow, Service } from './request-row.js'
import { OPEN } from './transitions.js'

/** Where a buyer fills in what an inquiring request asks for; the code in it is a secret. */
export function formUrl ({ public_url }: Pick<Service, 'public_url'>, { id, form_code }: Pick<RequestRow, 'id' | 'form_code'>): string {
  return form_code === null ? '' : `${public_url}/v1/requests/${encodeURIComponent(id)}/form?code=${form_code}&request_id=${encodeURIComponent(id)}`
}

/**
 * Refuses a second request while one is under way on the asset. The asset is locked, so none can come between.
 *
 * @throws Problem request-open
 */
export async function assertNoneOpen (db: Reader, service: Service, { account_id, asset_id, id }: Pick<RequestRow, 'account_id' | 'asset_id' | 'id'>): Promise<void> {
  const open = await db.selectFrom('requests').select('id').where('account_id', '=', account_id).where('asset_id', '=', asset_id)
    .where('status', 'in', OPEN).where('id', '<>', id).executeTakeFirst()
  if (open !== undefined) throw await conflict(db, service, 'request-open', account_id, open.id)
}

/**
 * Refuses a purchase that is known already: the provider goes on with that one, and of one that failed reads why. What was cancelled or revoked
 * may be bought again. Purchases of one external_uid wait for each other until the caller commits, so that two at once are not both new.
 *
 * @throws Problem asset-exists
 */
export async function assertUnknown (
  trx: Transaction<Database>, service: Service, { account_id, id }: Pick<Connection, 'account_id' | 'id'>, external_uid: string
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${['purchase', account_id, id, external_uid].join('\n')}, 0))`.execute(trx)
  const { rows: [known] } = await sql<{ id: string }>`
    with named as (
      select id from assets where account_id = ${account_id} and connection_id = ${id} and external_uid = ${external_uid} and status not in ('draft', 'terminated')
      union all
      select a.id from assets a join requests r on r.account_id = a.account_id and r.asset_id = a.id and r.type = 'purchase' and r.status = 'failed'
      where a.account_id = ${account_id} and a.connection_id = ${id} and a.external_uid = ${external_uid} and a.status = 'terminated'
    )
    select r.id from requests r join named on named.id = r.asset_id where r.account_id = ${account_id} and r.type = 'purchase' limit 1`.execute(trx)
  if (known !== undefined) throw await conflict(trx, service, 'asset-exists', account_id, known.id)
}

/** A refusal that lets a provider go on with what there is: what Connect's clients read of a 409. */
export async function conflict (db: Reader, service: Service, type: ProblemType, account_id: string, request_id: string): Promise<Problem> {
  const row = await db.selectFrom('requests').innerJoin('assets', (join) => join
    .onRef('assets.account_id', '=', 'requests.account_id').onRef('assets.id', '=', 'requests.asset_id'))
    .leftJoin('product_templates as t', (join) => join.onRef('t.account_id', '=', 'requests.account_id').onRef('t.id', '=', 'requests.template_id'))
    .select(['requests.id', 'requests.status', 'requests.form_code', 'requests.reason', 'requests.template_id', 't.name', 'assets.id as asset_id', 'assets.status as asset_status'])
    .where('requests.account_id', '=', account_id).where('requests.id', '=', request_id).executeTakeFirstOrThrow()
  const { id, status, asset_id, asset_status } = row
  return new Problem(type, {
    detail: `${id} is ${status} on the asset ${asset_id}, which is ${asset_status}`,
    params: {
      request_id: id,
      request_status: status,
      asset_id,
      asset_status,
      params_form_url: formUrl(service, row),
      template: row.template_id === null ? null : { id: row.template_id, name: row.name ?? '' },
      fail_message: status === 'failed' ? row.reason : '',
    },
  })
}
