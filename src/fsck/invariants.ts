import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Check } from './check.js'
import { deliveryChecks } from './deliveries.js'
import { holdChecks } from './holds.js'
import { licenseChecks } from './licenses.js'
import { orderChecks } from './orders.js'
import { requestChecks } from './requests.js'
import { supplyChecks } from './supplies.js'
import { webhookChecks } from './webhooks.js'

/** An invariant that does not hold: how many rows break it, and the first of them. */
export interface Violation { check: string, total: number, ids: string[] }

/** One invariant, looked at. `rows`: how many the table has. */
export interface Finding { check: string, rows: number, violation: Violation | undefined }

export const checks: readonly Check[] = [
  ...licenseChecks, ...holdChecks, ...supplyChecks, ...orderChecks, ...deliveryChecks, ...requestChecks, ...webhookChecks,
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
    for (const { name, over, broken } of checks) {
      const { rows: [count] } = await sql<{ rows: string }>`select count(*) as rows from ${sql.table(over)}`.execute(trx)
      const { rows } = await sql<{ id: string, total: string }>`
        select id, count(*) over () as total from (${broken}) broken order by id limit ${sql.lit(IDS_MAX)}`.execute(trx)
      const violation = rows.length === 0 ? undefined : { check: name, total: Number(rows[0]?.total), ids: rows.map((row) => row.id) }
      if (violation !== undefined) violations.push(violation)
      found({ check: name, rows: Number(count?.rows), violation })
    }
    return violations
  })
}
