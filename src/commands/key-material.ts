import fs from 'node:fs'
import path from 'node:path'
import type { Kysely } from 'kysely'
import type { Config } from '../config.js'
import type { Database } from '../database/connect.js'
import { fingerprint, newKeyMaterial, open, readKeyring, type Keyring } from '../sealing.js'
import { Refused } from './refused.js'

export const keyFile = (config: Config): string => path.join(config.data_dir, 'keys')

/**
 * The key material: LATCHKEY_KEYS, or, on the embedded default, the file in the data directory, which is made at the first start.
 * Proven against a stored license, if there is one.
 *
 * @throws Refused
 */
export async function loadKeyring (config: Config, db: Kysely<Database>): Promise<Keyring> {
  const keyring = parse(config.latchkey_keys ?? await readKeyFile(config, db), config)
  await proveKeyring(keyring, db, config)
  return keyring
}

function parse (text: string, config: Config): Keyring {
  try {
    return readKeyring(text)
  } catch (error) {
    throw new Refused(`${config.latchkey_keys === undefined ? keyFile(config) : 'LATCHKEY_KEYS'}: ${(error as Error).message}`)
  }
}

async function readKeyFile (config: Config, db: Kysely<Database>): Promise<string> {
  if (config.database_url !== undefined) {
    throw new Refused('LATCHKEY_KEYS is not set, and with DATABASE_URL it must be: make key material once with "latchkey keys", and give it to every process')
  }
  const file = keyFile(config)
  if (fs.existsSync(file)) return fs.readFileSync(file, 'utf8')
  const sealed = await db.selectFrom('licenses').select('id').limit(1).executeTakeFirst()
  if (sealed !== undefined) throw new Refused(`${file} is missing, and without it no stored license can be read: put it back, or set LATCHKEY_KEYS`)
  writePrivately(file, `${newKeyMaterial()}\n`)
  return fs.readFileSync(file, 'utf8')
}

/** Writes a file that only its owner can read, complete or not at all. One that is there is replaced. */
export function writePrivately (file: string, text: string): void {
  const draft = `${file}.${process.pid}`
  fs.rmSync(draft, { force: true })
  const descriptor = fs.openSync(draft, 'wx', 0o600)
  fs.writeSync(descriptor, text)
  fs.fsyncSync(descriptor)
  fs.closeSync(descriptor)
  fs.renameSync(draft, file)
}

/** Other key material would seal new licenses that the old cannot open, and let duplicates through: better not to start. */
async function proveKeyring (keyring: Keyring, db: Kysely<Database>, config: Config): Promise<void> {
  const license = await db.selectFrom('licenses').select(['account_id', 'pool_id', 'id', 'mode', 'fingerprint', 'sealed']).limit(1).executeTakeFirst()
  if (license === undefined) return
  const { account_id, pool_id, id, mode } = license
  const where = config.latchkey_keys === undefined ? keyFile(config) : 'LATCHKEY_KEYS'
  let key: Buffer
  try {
    key = open(keyring, [account_id, pool_id, id], license.sealed)
  } catch {
    throw new Refused(`${where} is not the key material that the stored licenses were sealed with: give the one that was, all versions of it`)
  }
  if (!fingerprint(keyring, account_id, mode, key).equals(license.fingerprint)) {
    throw new Refused(`${where} has another fingerprint key than the stored licenses: duplicates would not be found; give the one that was used`)
  }
}
