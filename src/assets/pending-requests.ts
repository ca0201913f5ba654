import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { AssetKey } from './asset-rows.js'
import type { AssetDocument } from './schema.js'

type PendingRequest = NonNullable<AssetDocument['pending_request']>
interface Row extends AssetKey, Pick<PendingRequest, 'id' | 'type' | 'status'> { template_id: string | null, template_name: string | null }

/** The request that is under way on an asset: there is at most one. */
type PendingRequestOf = (asset: AssetKey) => PendingRequest | undefined

/** The requests that are under way on some assets, in one statement. */
export async function pendingRequests (db: Reader, assets: readonly AssetKey[], { template }: { template: boolean }): Promise<PendingRequestOf> {
  const { rows } = await sql<Row>`
    select r.account_id, r.asset_id, r.id, r.type, r.status, r.template_id, t.name as template_name
    from unnest(${assets.map(({ account_id }) => account_id)}::text[], ${assets.map(({ asset_id }) => asset_id)}::text[]) as of (account_id, asset_id)
    join requests r on r.account_id = of.account_id and r.asset_id = of.asset_id and r.status in ('tiers_setup', 'pending', 'inquiring', 'scheduled', 'revoking')
    left join product_templates t on t.account_id = r.account_id and t.id = r.template_id`.execute(db)
  const requests = new Map(rows.map(({ account_id, asset_id, template_id, template_name, ...request }) => [`${account_id}/${asset_id}`, {
    ...request, ...(template && template_id !== null ? { template: { id: template_id, name: template_name ?? '' } } : {}),
  }]))
  return ({ account_id, asset_id }) => requests.get(`${account_id}/${asset_id}`)
}
