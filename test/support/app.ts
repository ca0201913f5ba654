import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { createAccount, type AccountType } from '../../src/accounts/create-account.js'
import { createApiKey } from '../../src/accounts/create-api-key.js'
import { PRESETS, type Permission } from '../../src/accounts/permissions.js'
import { buildApp, type Parts } from '../../src/app.js'
import { readConfig, type Config } from '../../src/config.js'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { openIntake, type Intake } from '../../src/orders/intake.js'
import { newKeyMaterial, readKeyring, type Keyring } from '../../src/sealing.js'
import { testDatabase } from './database.js'

/** An account with a key that holds the permissions of its type's preset. */
export interface TestAccount { account_id: string, key_id: string, api_key: string, authorization: string }

export interface TestApp {
  app: FastifyInstance
  db: Kysely<Database>
  url: string
  config: Config
  keyring: Keyring
  intake: Intake
  operator: TestAccount
  vendor: TestAccount
  /** a second vendor: what is the first one's must be absent for it */
  stranger: TestAccount
}

interface Teardown { teardown (work: () => unknown, options?: unknown): unknown }

/** Another account with a key; `permissions` instead of its preset's where given. */
export async function testAccount (
  db: Kysely<Database>, type: AccountType, permissions: readonly Permission[] = PRESETS[type]
): Promise<TestAccount> {
  return inTransaction(db, async (trx) => {
    const account_id = await createAccount(trx, { type, name: `${type} of a test` }, null)
    const { id, secret } = await createApiKey(trx, { account_id, name: 'test', permissions }, null)
    return { account_id, key_id: id, api_key: `${id}:${secret}`, authorization: `ApiKey ${id}:${secret}` }
  })
}

/** A service on a database of its own, ready for `app.inject`, with an operator and two vendors. Listen with `app.listen({ port: 0 })`. */
export async function testApp (t: Teardown, env: NodeJS.ProcessEnv = {}, parts: Partial<Parts> = {}): Promise<TestApp> {
  const { db, url } = await testDatabase(t, env)
  const config = readConfig({ LOG_LEVEL: 'silent', ...env })
  const keyring = readKeyring(newKeyMaterial())
  const intake = openIntake(url, config, db, keyring)
  const app = await buildApp({ config, db, keyring, intake, ...parts })
  t.teardown(async () => {
    await app.close()
    await intake.close()
  })
  await app.ready()
  const operator = await testAccount(db, 'operator')
  const vendor = await testAccount(db, 'vendor')
  const stranger = await testAccount(db, 'vendor')
  return { app, db, url, config, keyring, intake, operator, vendor, stranger }
}
