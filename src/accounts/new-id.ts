const TRIES_MAX = 50 // a million ids of six digits: even with nine of ten taken, 50 tries miss once in 200 times

/**
 * Inserts under a new id of Connect's shape. Its few digits may clash: `insert` answers undefined then
 * (`on conflict do nothing … returning id`) and another id is tried.
 */
export async function insertWithNewId (newId: () => string, insert: (id: string) => Promise<{ id: string } | undefined>): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const row = await insert(newId())
    if (row !== undefined) return row.id
  }
  throw new Error('no free identifier was found')
}
