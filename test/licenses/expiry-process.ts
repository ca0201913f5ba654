// Takes expired stock out in a process of its own, for tests that kill it: expiry-process <database url>
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { tendDated, untendedPools } from '../../src/licenses/expire.js'

const db = connectDatabase(process.argv[2] ?? '', readConfig({}))
for (;;) {
  for (const pool of await untendedPools(db)) await inTransaction(db, (trx) => tendDated(trx, pool))
}
