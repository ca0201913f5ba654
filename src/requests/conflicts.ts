import type { Reader } from '../database/connect.js'
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
