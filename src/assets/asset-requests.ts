import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { AssetKey } from './asset-rows.js'
import type { Viewer } from './find-asset.js'

/** The requests made on an asset, in no order. Drafts are the provider's. */
export function assetRequestsOf (db: Reader, viewer: Viewer, { account_id, asset_id }: AssetKey) {
  return db.selectFrom('requests as r').leftJoin('api_keys as k', 'k.id', 'r.assignee_id')
    .select([
      'r.id', 'r.type', 'r.status', 'r.created_at', 'r.updated_at',
      sql<{ id: string, name: string, email: string } | ''>`case when k.id is null then '""'::jsonb
        else jsonb_build_object('id', k.id, 'name', k.name, 'email', coalesce(k.email, '')) end`.as('assignee'),
    ])
    .where('r.account_id', '=', account_id).where('r.asset_id', '=', asset_id)
    .$if(viewer.type !== 'provider', (query) => query.where('r.status', '<>', 'draft'))
}
