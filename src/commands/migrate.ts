import type { Config } from '../config.js'
import { migrate, openDatabase } from './database.js'

/** Brings the database up to date. Safe to run again, and by several processes at once. */
export async function migrateCommand (config: Config): Promise<void> {
  const { url, close } = await openDatabase(config, { beside: true, say: console.log })
  try {
    const applied = await migrate(url, config)
    console.log(applied.length === 0 ? 'the database is up to date' : `applied ${applied.join(', ')}`)
  } finally {
    await close()
  }
}
