import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { expiryPlants, soundExpiries } from './expiry-plants.js'
import { testFaults } from './faults.js'

// Guarantee: fsck passes a sound database.
t.test('sound expiries have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundExpiries(db)
  t.equal((await db.selectFrom('expirations').selectAll().execute()).length, 2)
  await assertInvariants(t, db)
})

testFaults(soundExpiries, expiryPlants)
