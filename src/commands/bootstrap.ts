import { bootstrap } from '../bootstrap.js'
import type { Config } from '../config.js'
import { inTransaction } from '../database/transaction.js'
import { openDatabase, requireMigrated } from './database.js'
import { Refused } from './refused.js'

/** Makes the first accounts of a given database and prints their keys, this once. The embedded one does it at its first start. */
export async function bootstrapCommand (config: Config, { json }: { json: boolean }): Promise<void> {
  if (config.database_url === undefined) throw new Refused('DATABASE_URL is not set: latchkey serve makes the accounts of the embedded database at its first start')
  const { db, close } = await openDatabase(config, { beside: true, say: () => {} })
  try {
    await requireMigrated(db)
    const credentials = await inTransaction(db, bootstrap)
    if (credentials === undefined) throw new Refused('the database has accounts already: bootstrap makes the first ones only; their keys cannot be shown again')
    const { operator, vendor } = credentials
    console.log(json
      ? JSON.stringify(credentials)
      : `operator ${operator.account_id}\n  API key ${operator.api_key}\nvendor ${vendor.account_id}\n  API key ${vendor.api_key}\nThe keys are shown this once.`)
  } finally {
    await close()
  }
}
