import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.js'
import { inTransaction } from '../database/transaction.js'
import { openIntake } from '../orders/intake.js'
import { advanceReplays } from '../payments/advance-replays.js'
import { createReplay, findReplay } from '../payments/replays.js'
import { openDatabase, requireMigrated } from './database.js'
import { loadKeyring } from './key-material.js'
import { showProgress } from './progress.js'
import { Refused } from './refused.js'
import { accountOfSource } from './source-account.js'

export interface ReplayOptions { source_id: string, from: string, to: string | undefined, status: string | undefined, type: string | undefined }

const LOOK_MS = 200
const STATUSES = ['processed', 'failed', 'ignored', 'waiting']

/**
 * Replays the payment events of a source and a range, beside a running service or without one; a worker helps. Stopped, a worker goes on with
 * it. Resolves to the exit code: 1 when one failed.
 */
export async function replayCommand (config: Config, { source_id, from, to, status, type }: ReplayOptions): Promise<number> {
  const [received_from, received_to] = [momentOf('from', from), to === undefined ? undefined : momentOf('to', to)]
  if (status !== undefined && !STATUSES.includes(status)) throw new Refused(`--status is one of ${STATUSES.join(', ')}`)
  const { url, db, close } = await openDatabase(config, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const account_id = await accountOfSource(db, source_id)
    const keyring = await loadKeyring(config, db)
    const intake = openIntake(url, config, db, keyring)
    try {
      const id = await inTransaction(db, (trx) => createReplay(trx, account_id, { source_id, status, type, received_from, received_to }, 'cli'))
      const { total } = await findReplay(db, account_id, id)
      const progress = showProgress(`replaying ${id}`, total)
      let replay = await findReplay(db, account_id, id)
      while (replay.status === 'running') {
        if (await advanceReplays({ db, intake }, keyring, 1) === 0) await delay(LOOK_MS)
        replay = await findReplay(db, account_id, id)
        progress.at(replay.done, `${replay.done} of ${total} events`)
      }
      progress.end()
      console.log(`${id}: ${replay.done} events, ${replay.processed} processed, ${replay.failed} failed`)
      return replay.failed > 0 ? 1 : 0
    } finally {
      await intake.close()
    }
  } finally {
    await close()
  }
}

function momentOf (name: string, text: string): string {
  const moment = new Date(text)
  if (Number.isNaN(moment.getTime())) throw new Refused(`--${name} is a moment like 2026-01-31T00:00:00Z`)
  return moment.toISOString()
}
