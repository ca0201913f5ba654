import { sql } from 'kysely'
import { atOnce } from '../database/at-once.js'
import type { Reader } from '../database/connect.js'
import { assetDocuments, type AssetView, type Shows } from '../assets/asset-documents.js'
import { renderedText } from '../parameters/rendered-text.js'
import { formUrl } from './conflicts.js'
import type { Caller, RequestRow, Service } from './request-row.js'
import type { RequestDocument } from './schema.js'

/** What `select` hides or adds. */
export const REQUEST_PARTS = {
  activation_key: true,
  template: true,
  'asset.items': { shown: true, aliases: ['items'] },
  'asset.params': { shown: true, aliases: ['params'] },
  'asset.configuration': { shown: true, aliases: ['configuration'] },
  'asset.product.capabilities': false,
}
export type ShowsPart = (part: keyof typeof REQUEST_PARTS) => boolean
export const showsAsUsual: ShowsPart = (part) => REQUEST_PARTS[part] !== false

type Extra = Pick<RequestRow, 'account_id' | 'id'> & {
  template_name: string | null, assignee_name: string | null, assignee_email: string | null, fulfillment_status: NonNullable<RequestDocument['fulfillment_status']> | null
}

/**
 * Requests in Connect's shape, in the order given; each with its asset as the request would leave it. A constant number of statements for
 * any number of them. Texts for the customer are rendered here, with secret values in clear: for an answer to the vendor or the provider, and nowhere else.
 */
export async function requestDocuments (
  db: Reader, { keyring, public_url }: Service, caller: Pick<Caller, 'type'>, rows: readonly RequestRow[], shows: ShowsPart = showsAsUsual
): Promise<RequestDocument[]> {
  if (rows.length === 0) return []
  const subjects = rows.map(({ account_id, asset_id, id }) => ({ account_id, asset_id, request_id: id }))
  const [views, found] = await atOnce(db, [() => assetDocuments(db, keyring, caller, subjects, assetShows(shows)), () => extrasOf(db, rows)])
  const extras = new Map(found.map((extra) => [`${extra.account_id}/${extra.id}`, extra]))
  return rows.map((row, i) => {
    const extra = extras.get(`${row.account_id}/${row.id}`)!
    const { marketplace, contract } = views[i]!.document
    return {
      id: row.id,
      type: row.type,
      status: row.status,
      created: row.created_at,
      updated: row.updated_at,
      note: row.note,
      reason: row.reason,
      ...(row.effective_date === null ? {} : { effective_date: row.effective_date }),
      ...(row.planned_date === null ? {} : { planned_date: row.planned_date }),
      answered: row.answered,
      assignee: row.assignee_id === null ? '' : { id: row.assignee_id, name: extra.assignee_name ?? '', email: extra.assignee_email ?? '' },
      ...textsOf({ keyring, public_url }, row, extra, views[i]!, shows),
      ...(row.form_code === null ? {} : { params_form_url: formUrl({ public_url }, row) }),
      ...(row.previous_request_id === null ? {} : { previous_approved_request: { id: row.previous_request_id } }),
      ...(row.external_attributes === null ? {} : { external_attributes: row.external_attributes }),
      marketplace,
      ...(contract === undefined ? {} : { contract }),
      ...(extra.fulfillment_status === null ? {} : { fulfillment_status: extra.fulfillment_status }),
      ...(caller.type === 'vendor' && row.order_id !== null ? { order_id: row.order_id } : {}),
      ...(caller.type === 'vendor' && row.pool_note !== null ? { pool_note: row.pool_note } : {}),
      asset: views[i]!.document,
    }
  })
}

/** What the customer is told in this state. It is the activation key of a request that is approved or inquiring; one that is pending has none yet. */
function textsOf ({ keyring, public_url }: Service, row: RequestRow, { template_name }: Extra, { params }: AssetView, shows: ShowsPart) {
  const message = renderedText(keyring, { ...row, owner_id: row.id }, params, { activation_form_url: formUrl({ public_url }, row) })
  const isTold = row.status === 'approved' || row.status === 'inquiring'
  return {
    ...(shows('activation_key') ? { activation_key: isTold ? message : '' } : {}),
    ...(shows('template') && row.template_id !== null ? { template: { id: row.template_id, name: template_name ?? '', message } } : {}),
  }
}

const assetShows = (shows: ShowsPart): Shows => (part) => {
  switch (part) {
    case 'items': case 'params': case 'configuration': case 'product.capabilities': return shows(`asset.${part}`)
    default: return false
  }
}

async function extrasOf (db: Reader, rows: readonly RequestRow[]): Promise<Extra[]> {
  const of = <K extends keyof RequestRow>(name: K): Array<RequestRow[K]> => rows.map((row) => row[name])
  const { rows: extras } = await sql<Extra>`
    select r.account_id, r.id, t.name as template_name, k.name as assignee_name, k.email as assignee_email, o.fulfillment_status
    from unnest(${of('account_id')}::text[], ${of('id')}::text[], ${of('template_id')}::text[], ${of('assignee_id')}::text[], ${of('order_id')}::text[])
      as r (account_id, id, template_id, assignee_id, order_id)
    left join product_templates t on t.account_id = r.account_id and t.id = r.template_id
    left join api_keys k on k.id = r.assignee_id
    left join orders o on o.account_id = r.account_id and o.id = r.order_id`.execute(db)
  return extras
}
