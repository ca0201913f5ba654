import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { erasurePlants, soundErasures } from './erasure-plants.js'
import { testFaults } from './faults.js'

// Guarantee: fsck passes a sound database.
t.test('sound erasures have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundErasures(db)
  t.match(await db.selectFrom('erasures').select(['status', 'orders', 'payment_events', 'kept']).execute(), [{ status: 'done', orders: 1, payment_events: 1, kept: 0 }])
  t.match(await db.selectFrom('orders').select('customer').where('erased_at', 'is', null).execute(), [{ customer: { email: 'bob@example.com' } }], 'the other one is as it was')
  await assertInvariants(t, db)
})

testFaults(soundErasures, erasurePlants)
