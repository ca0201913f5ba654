// Works on recalls in a process of its own, for tests that kill it: recall-process <database url>
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { runningRecalls, workOnRecall } from '../../src/recalls/work.js'

const db = connectDatabase(process.argv[2] ?? '', readConfig({}))
for (;;) {
  for (const recall of await runningRecalls(db)) await inTransaction(db, (trx) => workOnRecall(trx, recall))
}
