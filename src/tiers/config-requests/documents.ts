import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { configDocuments, shownTemplate, tierParams } from '../configs/documents.js'
import { configRows } from '../configs/find.js'
import type { TierConfigDocument } from '../configs/schema.js'
import type { FoundRequest } from './find.js'
import type { TierConfigRequestDocument } from './schema.js'

/**
 * Tier configuration requests as clients read them, in their order, in a constant number of statements.
 * `withConfiguration`: false where select hides it.
 */
export async function requestDocuments (
  db: Reader, keyring: Keyring, viewer: { type: string }, rows: readonly FoundRequest[], { withConfiguration = true } = {}
): Promise<TierConfigRequestDocument[]> {
  const configOf = await configsOf(db, keyring, viewer, rows)
  const ownerOf = ({ id, ...row }: FoundRequest) => ({ ...row, owner_id: id })
  const paramsOf = await tierParams(db, keyring, viewer, rows.map(ownerOf))
  return rows.map((row) => {
    const configuration = configOf(row.account_id, row.tier_config_id)!
    const above = row.parent_configuration_id === null ? undefined : configOf(row.account_id, row.parent_configuration_id)
    const params = paramsOf(ownerOf(row))
    return {
      id: row.id,
      type: row.type,
      status: row.status,
      ...(withConfiguration ? { configuration } : {}),
      parent_configuration: row.parent_configuration_id === null ? null : { id: row.parent_configuration_id },
      environment: row.environment,
      params,
      tiers: row.tier_level === 1 ? { tier1: configuration.account, tier2: above?.account ?? null } : { tier1: null, tier2: configuration.account },
      assignee: row.assignee_id === null ? null : { id: row.assignee_id, name: row.assignee_name ?? '', email: row.assignee_email ?? '' },
      template: shownTemplate(keyring, row, params),
      reason: row.reason,
      notes: row.notes,
      effective_date: row.effective_date,
      events: eventsOf(row),
    }
  })
}

async function configsOf (db: Reader, keyring: Keyring, viewer: { type: string }, rows: readonly FoundRequest[]) {
  if (rows.length === 0) return () => undefined
  const keys = rows.flatMap(({ account_id, tier_config_id, parent_configuration_id }) =>
    [tier_config_id, ...(parent_configuration_id === null ? [] : [parent_configuration_id])].map((id) => ({ account_id, id })))
  const configs = await configRows(db)
    .where(sql<boolean>`(c.account_id, c.id) in (select * from unnest(${keys.map((key) => key.account_id)}::text[], ${keys.map((key) => key.id)}::text[]))`).execute()
  const documents = await configDocuments(db, keyring, viewer, configs)
  const byKey = new Map(configs.map(({ account_id, id }, i) => [`${account_id}/${id}`, documents[i]]))
  return (account_id: string, id: string): TierConfigDocument | undefined => byKey.get(`${account_id}/${id}`)
}

function eventsOf ({ created_at, updated_at, inquired_at, pended_at, approved_at }: FoundRequest): TierConfigRequestDocument['events'] {
  return {
    created: { at: created_at },
    updated: { at: updated_at },
    ...(inquired_at === null ? {} : { inquired: { at: inquired_at } }),
    ...(pended_at === null ? {} : { pended: { at: pended_at } }),
    ...(approved_at === null ? {} : { approved: { at: approved_at } }),
  }
}
