import { sql } from 'kysely'
import { seenBy, seenOfProviders, type Party } from '../../accounts/seen-by.js'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { eventsOf } from '../shape.js'

/** The hubs that a caller may see, with counts of what it may see there. */
export function hubsSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('hubs').innerJoin('accounts', 'accounts.id', 'hubs.provider_id')
    .select(['hubs.provider_id', 'hubs.id', 'hubs.name', 'hubs.description', 'instance_id', 'instance_type', 'hubs.created_at', 'hubs.updated_at', 'accounts.name as provider_name'])
    .select([
      sql<number>`(select count(*)::int from connections c where c.provider_id = hubs.provider_id and c.hub_id = hubs.id and ${seenBy(caller, 'c')})`.as('connections'),
      sql<number>`(select count(*)::int from marketplaces m where m.provider_id = hubs.provider_id and m.hub_id = hubs.id)`.as('marketplaces'),
    ])
    .where(seenOfProviders(caller, 'hubs'))
    .$narrowType<{ instance_type: 'API' | 'OA' }>()
}

type HubRow = Awaited<ReturnType<ReturnType<typeof hubsSeenBy>['executeTakeFirstOrThrow']>>

/** @throws Problem hub-not-found */
export async function findHub (db: Reader, caller: Party, id: string): Promise<HubRow> {
  const hub = await hubsSeenBy(db, caller).where('hubs.id', '=', id).executeTakeFirst()
  if (hub === undefined) throw new Problem('hub-not-found')
  return hub
}

/** A hub in Connect's shape. */
export function hubBody ({ provider_id, provider_name, connections, marketplaces, ...hub }: HubRow) {
  const { id, name, description, instance_id, instance_type } = hub
  return {
    id,
    name,
    description,
    company: { id: provider_id, name: provider_name },
    instance: { id: instance_id, type: instance_type },
    instance_id,
    instance_type,
    stats: { connections, marketplaces },
    events: eventsOf(hub),
  }
}
