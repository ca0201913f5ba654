import fs from 'node:fs'
import path from 'node:path'
import type { Kysely } from 'kysely'
import { bootstrap, type Credentials } from '../bootstrap.js'
import type { Config } from '../config.js'
import type { Database } from '../database/connect.js'
import { inTransaction } from '../database/transaction.js'
import { keyFile, writePrivately } from './key-material.js'

const credentialsFile = (config: Config): string => path.join(config.data_dir, 'credentials.json')

/**
 * Makes the first accounts of the embedded database and keeps their keys in credentials.json. Returns them the first time only.
 * The file is written before the commit: keys that are stored as hashes and known to nobody could never be had again.
 */
export async function firstStart (config: Config, db: Kysely<Database>): Promise<Credentials | undefined> {
  return inTransaction(db, async (trx) => {
    const credentials = await bootstrap(trx)
    if (credentials !== undefined) writePrivately(credentialsFile(config), `${JSON.stringify(credentials, null, 2)}\n`)
    return credentials
  })
}

/** What a person wants to know once the service listens. The vendor's key is in it the first time only. `cluster`: of the embedded database. */
export function banner (config: Config, version: string, cluster: string | undefined, credentials: Credentials | undefined): string {
  const embedded = cluster !== undefined
  const lines = [
    `Latchkey ${version} listens on ${config.public_url}`,
    '',
    `  API reference   ${config.public_url}/docs`,
    `  Database        ${embedded ? `embedded PostgreSQL in ${cluster}, for trying it out; for production set DATABASE_URL` : 'the one of DATABASE_URL'}`,
    `  Mail            ${config.smtp_url === undefined ? `kept as .eml files in ${path.join(config.data_dir, 'mail')}; to send it set SMTP_URL` : 'sent through SMTP_URL'}`,
    `  Key material    ${config.latchkey_keys === undefined ? `${keyFile(config)}: keep a copy, without it no stored license can be read` : 'the one of LATCHKEY_KEYS'}`,
  ]
  if (embedded && fs.existsSync(credentialsFile(config))) lines.push(`  API keys        ${credentialsFile(config)}`)
  if (credentials !== undefined) {
    lines.push('', `A vendor account was made (${credentials.vendor.account_id}). Its API key, shown this once:`, '', `  ${credentials.vendor.api_key}`)
  }
  return `${lines.join('\n')}\n`
}
