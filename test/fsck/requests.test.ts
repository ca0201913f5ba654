import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { testFaults } from './faults.js'
import { requestPlants, soundRequests } from './request-plants.js'

// Guarantee: fsck passes a sound database.
t.test('sound requests have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundRequests(db)
  await assertInvariants(t, db)
})

testFaults(soundRequests, requestPlants)
