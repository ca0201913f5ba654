import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import type { Check } from './check.js'
import { alertChecks } from './alerts.js'
import { deliveryChecks } from './deliveries.js'
import { expiryChecks } from './expiry.js'
import { erasureChecks } from './erasures.js'
import { factChecks } from './facts.js'
import { holdChecks } from './holds.js'
import { licenseChecks } from './licenses.js'
import { orderChecks } from './orders.js'
import { recallChecks } from './recalls.js'
import { renewalChecks } from './renewals.js'
import { requestChecks } from './requests.js'
import { supplyChecks } from './supplies.js'
import { webhookChecks } from './webhooks.js'
import { wordsChecks } from './words.js'

/** An invariant that does not hold: how many rows break it, and the first of them. */
export interface Violation { check: string, total: number, ids: string[] }

/** One invariant, looked at. `rows`: how many the table has. */
export interface Finding { check: string, rows: number, violation: Violation | undefined }

export const checks: readonly Check[] = [
  ...licenseChecks, ...expiryChecks, ...holdChecks, ...supplyChecks, ...orderChecks, ...factChecks,
  ...deliveryChecks, ...recallChecks, ...renewalChecks, ...requestChecks, ...webhookChecks, ...erasureChecks, ...alertChecks, ...wordsChecks,
]

const IDS_MAX = 10

/**
 * Looks at every invariant of the database, in one snapshot, so that work going on beside it cannot look like a violation.
 * Reads whole tables: seconds per million licenses. Calls `found` after each.
 */
export async function checkInvariants (db: Kysely<Database>, found: (finding: Finding) => void = () => {}): Promise<Violation[]> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx)
    await sql`set local work_mem = '64MB'`.execute(trx)
    const violations: Violation[] = []
    for (const { name, over, ...look } of checks) {
      const { rows: [count] } = await sql<{ rows: string }>`select count(*) as rows from ${sql.table(over)}`.execute(trx)
      const { total, ids } = 'find' in look ? firstOf(await look.find(trx)) : await firstBroken(trx, look.broken)
      const violation = total === 0 ? undefined : { check: name, total, ids }
      if (violation !== undefined) violations.push(violation)
      found({ check: name, rows: Number(count?.rows), violation })
    }
    return violations
  })
}

function firstOf (ids: string[]): { total: number, ids: string[] } {
  return { total: ids.length, ids: ids.toSorted().slice(0, IDS_MAX) }
}

async function firstBroken (db: Reader, broken: RawBuilder<{ id: string }>): Promise<{ total: number, ids: string[] }> {
  const { rows } = await sql<{ id: string, total: string }>`
    select id, count(*) over () as total from (${broken}) broken order by id limit ${sql.lit(IDS_MAX)}`.execute(db)
  return { total: Number(rows[0]?.total ?? 0), ids: rows.map((row) => row.id) }
}
