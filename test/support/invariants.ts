import type { Kysely } from 'kysely'
import type { Test } from 'tap'
import type { Database } from '../../src/database/connect.js'
import { checkInvariants } from '../../src/fsck/invariants.js'

/** How a test ends: every invariant of the database holds. */
export async function assertInvariants (t: Test, db: Kysely<Database>): Promise<void> {
  t.strictSame(await checkInvariants(db), [], 'every invariant of the database holds')
}
