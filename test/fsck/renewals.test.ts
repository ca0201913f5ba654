import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { testFaults } from './faults.js'
import { renewalPlants, soundRenewals } from './renewal-plants.js'

// Guarantee: fsck passes a sound database.
t.test('sound renewals have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundRenewals(db)
  t.same(await db.selectFrom('renewals').select('number').orderBy('number').execute(), [{ number: 1 }, { number: 1 }, { number: 2 }])
  await assertInvariants(t, db)
})

testFaults(soundRenewals, renewalPlants)
