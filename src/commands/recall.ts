import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config.js'
import { inTransaction } from '../database/transaction.js'
import { findRecall } from '../recalls/find.js'
import { foreseeRecall, startRecall } from '../recalls/start.js'
import { workOnRecall } from '../recalls/work.js'
import { openDatabase, requireMigrated } from './database.js'
import { showProgress } from './progress.js'
import { Refused } from './refused.js'

export interface RecallOptions { batch_id: string, reason: string, dry_run: boolean }

/** How long it waits where a worker does a chunk just now. */
const WAIT_MS = 200

/**
 * Recalls a batch and shows how far it is, working on it beside the workers that run; stopped, they go on without it. They send the mails. Resolves to the
 * exit code: 1 when some customers wait for stock.
 */
export async function recallCommand (config: Config, { batch_id, reason, dry_run }: RecallOptions): Promise<number> {
  if (reason.trim() === '' || reason.length > 500) throw new Refused('--reason must say why, in at most 500 characters')
  const { db, close } = await openDatabase(config, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const batch = await db.selectFrom('batches').select('account_id').where('id', '=', batch_id).executeTakeFirst()
    if (batch === undefined) throw new Refused(`there is no batch ${batch_id}`)
    const { account_id } = batch
    const { total, unsold, delivered, ended, orders, short } = await foreseeRecall(db, account_id, batch_id)
    console.log(`${total} licenses: ${unsold} unsold, ${delivered} delivered to ${orders} orders, ${ended} ended before; ${short} would wait for stock`)
    if (dry_run) return 0
    const { id } = await inTransaction(db, (trx) => startRecall(trx, { account_id, batch_id, reason, actor: 'cli' }))
    const progress = showProgress(`recall ${id}`, total)
    let recall = await findRecall(db, account_id, id)
    for (; recall.status === 'running'; recall = await findRecall(db, account_id, id)) {
      progress.at(recall.withdrawn + recall.replaced + recall.short + recall.skipped, `${recall.withdrawn} withdrawn, ${recall.replaced} replaced, ${recall.short} short`)
      if (!await inTransaction(db, (trx) => workOnRecall(trx, { account_id, id }))) await setTimeout(WAIT_MS)
    }
    progress.end()
    console.log(`${recall.id} is ${recall.status}: withdrawn ${recall.withdrawn}, replaced ${recall.replaced}, short ${recall.short}, failed ${recall.failed}, skipped ${recall.skipped}`)
    if (recall.short > 0) console.log(`${recall.short} wait for stock of pool ${recall.pool_id}: load some, and they are replaced by themselves`)
    return recall.short === 0 && recall.status === 'done' ? 0 : 1
  } finally {
    await close()
  }
}
