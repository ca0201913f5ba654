// Writes openapi/openapi.json from the routes; with --check it only says whether the file is current. Needs no database.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { buildApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { openIntake } from '../src/orders/intake.js'
import { newKeyMaterial, readKeyring } from '../src/sealing.js'

const target = 'openapi/openapi.json'
const config = readConfig({ LOG_LEVEL: 'warn' })
const db = connectDatabase('postgres://nobody@localhost/none', config) // connects on first use, and there is none
const keyring = readKeyring(newKeyMaterial())
const app = await buildApp({ config, db, keyring, intake: openIntake('postgres://localhost/none', config, db, keyring) })
await app.ready()
const made = `${JSON.stringify(app.swagger(), null, 2)}\n`
await app.close()
await db.destroy()
if (!process.argv.includes('--check')) {
  mkdirSync(path.dirname(target), { recursive: true })
  writeFileSync(target, made)
} else if (readFileSync(target, 'utf8') !== made) {
  console.error(`${target} is not current: run npm run openapi`)
  process.exitCode = 1
}
