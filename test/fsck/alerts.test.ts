import t from 'tap'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { alertPlants, soundAlerts } from './alert-plants.js'
import { testFaults } from './faults.js'

// Guarantee: fsck passes a sound database.
t.test('sound alerts have no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundAlerts(db)
  t.match(await db.selectFrom('alerts').select(['kind', 'mail_state']).orderBy('kind').execute(), [
    { kind: 'delivery.failed', mail_state: 'mailed' }, { kind: 'pool.empty' }, { kind: 'pool.low' }, { kind: 'pool.low_days' },
  ])
  t.match(await db.selectFrom('pool_sales').select('licenses').execute(), [{ licenses: 2 }])
  await assertInvariants(t, db)
})

testFaults(soundAlerts, alertPlants)
