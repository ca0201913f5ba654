import { sql, type Kysely } from 'kysely'
import t from 'tap'
import type { Database } from '../../src/database/connect.js'
import { checkInvariants } from '../../src/fsck/invariants.js'
import { testDatabase } from '../support/database.js'

// Guarantee: each fault, planted alone in a sound database, is found by the check that stands for it.
export function testFaults (sound: (db: Kysely<Database>) => Promise<unknown>, plants: Record<string, string[]>): void {
  for (const [check, statements] of Object.entries(plants)) {
    t.test(`found: not ${check}`, async (t) => {
      for (const statement of statements) {
        const { db } = await testDatabase(t)
        await sound(db)
        await sql.raw(statement).execute(db)
        const found = (await checkInvariants(db)).find((violation) => violation.check === check)
        t.ok(found, statement)
        t.ok(found !== undefined && found.total >= 1 && found.ids.length >= 1 && found.ids.length <= 10, 'with how many, and the first of them')
      }
    })
  }
}
