import type { Config } from '../config.js'
import { checkInvariants, checks, type Violation } from '../fsck/invariants.js'
import { openLicenses } from '../fsck/open-licenses.js'
import { COMMAND_TIMEOUTS, openDatabase, requireMigrated } from './database.js'
import { loadKeyring } from './key-material.js'
import { showProgress } from './progress.js'

/** Checks every invariant and prints what it checked. Resolves to the exit code: 1 when one is broken. */
export async function fsckCommand (config: Config, { open }: { open: boolean }): Promise<number> {
  const { db, close } = await openDatabase({ ...config, ...COMMAND_TIMEOUTS }, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const broken = await checkInvariants(db, ({ check, rows, violation }) => {
      console.log(`${violation === undefined ? 'ok      ' : 'BROKEN  '} ${check} (${rows} rows)`)
      if (violation !== undefined) print(violation)
    })
    if (open) {
      const { count } = await db.selectFrom('licenses').select((select) => select.fn.countAll<string>().as('count')).executeTakeFirstOrThrow()
      const progress = showProgress('opening licenses', Number(count))
      const { opened, violations } = await openLicenses(db, await loadKeyring(config, db), progress.at)
      progress.end()
      console.log(`${violations.length === 0 ? 'ok      ' : 'BROKEN  '} every license opens with the key material, and its fingerprint is its own (${opened} rows)`)
      for (const violation of violations) print(violation)
      broken.push(...violations)
    }
    const checked = checks.length + (open ? 1 : 0)
    console.log(broken.length === 0 ? `${checked} invariants checked, all hold` : `${checked} invariants checked, ${broken.length} broken`)
    return broken.length === 0 ? 0 : 1
  } finally {
    await close()
  }
}

function print ({ total, ids }: Violation): void {
  console.log(`         ${total} broken, ${ids.length < total ? 'the first' : 'namely'}: ${ids.join('; ')}`)
}
