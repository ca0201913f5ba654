// Works on erasures in a process of its own, for tests that kill it: erasure-process <database url> <key material>
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { runningErasures, workOnErasure } from '../../src/erasures/work.js'
import { readKeyring } from '../../src/sealing.js'

const db = connectDatabase(process.argv[2] ?? '', readConfig({}))
const keyring = readKeyring(process.argv[3] ?? '')
for (;;) {
  for (const erasure of await runningErasures(db)) await inTransaction(db, (trx) => workOnErasure(trx, keyring, erasure))
}
