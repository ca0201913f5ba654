import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { testFaults } from './faults.js'
import { recallPlants, soundRecalls } from './recall-plants.js'

// Guarantee: fsck passes a sound database.
t.test('sound recalls have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundRecalls(db)
  t.match(await db.selectFrom('recalls').select(['status', 'withdrawn', 'replaced', 'short']).execute(), [{ status: 'done', withdrawn: 1, replaced: 1, short: 1 }])
  await assertInvariants(t, db)
})

testFaults(soundRecalls, recallPlants)
