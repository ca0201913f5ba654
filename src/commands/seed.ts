import { Readable } from 'node:stream'
import type { Config } from '../config.js'
import { inTransaction } from '../database/transaction.js'
import { loadLicenses } from '../licenses/load.js'
import { sampleLicenses, seed, type Seeded } from '../seed.js'
import { openDatabase, requireMigrated } from './database.js'
import { loadKeyring } from './key-material.js'
import { Refused } from './refused.js'

const LICENSES = 20 // enough to try with, few enough to see a pool run dry

/** Makes sample accounts with products to request, and prints their ids and keys. Each time a new set; nothing that is there is touched. */
export async function seedCommand (config: Config, { json }: { json: boolean }): Promise<void> {
  const { db, close } = await openDatabase(config, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const first = await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst()
    // bootstrap makes the operator of a database without accounts only
    if (first === undefined) throw new Refused('the database has no accounts yet: start latchkey serve once, or run latchkey bootstrap')
    const keyring = await loadKeyring(config, db)
    const seeded = await inTransaction(db, seed)
    for (const pool_id of seeded.products.flatMap((product) => [product.pool_id, product.test_pool_id])) {
      if (pool_id === undefined) continue
      const bytes = Readable.from([Buffer.from(sampleLicenses(LICENSES))])
      await loadLicenses({ db, keyring, account_id: seeded.vendor.account_id, pool_id, bytes, format: 'text', source: 'sample', created_by: 'cli' })
    }
    console.log(json ? JSON.stringify(seeded) : told(seeded))
  } finally {
    await close()
  }
}

function told ({ vendor, provider, hub_id, marketplace_id, contract_id, products }: Seeded): string {
  return [
    `vendor ${vendor.account_id}`, `  API key ${vendor.api_key}`,
    `provider ${provider.account_id}`, `  API key ${provider.api_key}`,
    `hub ${hub_id}, marketplace ${marketplace_id}, contract ${contract_id}`,
    ...products.flatMap(({ id, name, item_ids, connection_id, test_connection_id, pool_id, test_pool_id }) => [
      `product ${id} ${name}, ${pool_id === undefined ? 'whose licenses the vendor writes by hand' : 'filled from a pool'}`,
      `  items ${item_ids.join(', ')}`,
      `  connection ${connection_id}, for tests ${test_connection_id}`,
      ...(pool_id === undefined ? [] : [`  pool ${pool_id}, for tests ${test_pool_id}, ${LICENSES} licenses each`]),
    ]),
    'The keys are shown this once.',
  ].join('\n')
}
