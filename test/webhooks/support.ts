// Webhooks of a vendor and a provider that share a product, for tests of what they are told.
import type { Test } from 'tap'
import { sql } from 'kysely'
import { readConfig } from '../../src/config.js'
import { inTransaction } from '../../src/database/transaction.js'
import { wakeWorker } from '../../src/deliveries/wake.js'
import { newDigitsId } from '../../src/ids.js'
import { findMessage } from '../../src/webhooks/find-message.js'
import { planWebhooks, type Change } from '../../src/webhooks/plan.js'
import { startWorker, type Worker } from '../../src/worker.js'
import { testAccount, testApp, type TestAccount, type TestApp } from '../support/app.js'
import { until } from '../support/until.js'
import { callsOf, makeProduct, type Call } from '../support/vendor.js'

export interface Scene extends TestApp { call: Call, provider: TestAccount, asProvider: Call, product_id: string }

/** A service with a product that its vendor and a provider are connected by. */
export async function scene (t: Test, env: NodeJS.ProcessEnv = {}): Promise<Scene> {
  const service = await testApp(t, env)
  const call = callsOf(service.app, service.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const provider = await testAccount(service.db, 'provider')
  const asProvider = callsOf(service.app, provider)
  await service.db.insertInto('connections')
    .values({ account_id: service.vendor.account_id, id: newDigitsId('CT', 3, 4), product_id, provider_id: provider.account_id, type: 'production' }).execute()
  return { ...service, call, provider, asProvider, product_id }
}

export const JWT_SECRET = 'a secret that only the two of us know'

export interface Made { id: string, signing_secret: string }

/** Registers a webhook: a signal of the product's requests unless told otherwise. */
export async function makeWebhook ({ call, product_id }: Pick<Scene, 'call' | 'product_id'>, external_url: string, more: object = {}): Promise<Made> {
  const answer = await call('POST', WEBHOOKS, {
    label: 'hook', object_class: 'fulfillment_request', product_id, external_url, active: true, jwt_secret: JWT_SECRET, ...more,
  })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<Made>()
}

export const WEBHOOKS = '/v1/notifications/webhooks'

/** A webhook of the vendor's as the API shows it. */
export const statistics = async ({ call }: Pick<Scene, 'call'>, id: string) => (await call('GET', `${WEBHOOKS}/${id}`)).json()

/** What makes a webhook one of single changes. */
export const CHANGE = { type: 'change', jwt_secret: undefined } as const

let requests = 0

/** A change of the vendor's product, told to both. */
export function changeOf ({ vendor, provider, product_id }: Pick<Scene, 'vendor' | 'provider' | 'product_id'>, more: Partial<Change> = {}): Change {
  const id = `PR-1111-2222-3333-${String(++requests).padStart(3, '0')}`
  return {
    account_ids: [vendor.account_id, provider.account_id],
    product_id,
    object_class: 'fulfillment_request',
    event: 'fulfillment_request.approved',
    data: { id, type: 'purchase', status: 'approved' },
    ...more,
  }
}

export async function tell (scene: Scene, ...changes: Change[]): Promise<void> {
  await inTransaction(scene.db, (trx) => planWebhooks(trx, ...changes))
  wakeWorker()
}

type Line = Record<string, unknown>

/** A worker of this process; `log` collects what it writes. */
export function work (t: Test, { db, keyring }: TestApp, env: NodeJS.ProcessEnv = {}): { worker: Worker, log: Line[] } {
  const log: Line[] = []
  const note = (fields: unknown, message?: string): void => { log.push({ ...fields as Line, message }) }
  const config = readConfig({ WORKER_POLL_MS: '20', PUBLIC_URL: 'https://licenses.example.com', SMTP_URL: 'smtp://127.0.0.1:1', ...env })
  const worker = startWorker({ db, config, keyring, log: { info: note, warn: note, error: note } })
  t.teardown(() => worker.stop(0))
  return { worker, log }
}

type Message = Awaited<ReturnType<typeof findMessage>>

/** The messages of a webhook with every try, the first one first. */
export async function messagesOf ({ db }: TestApp, webhook_id: string): Promise<Message[]> {
  const rows = await db.selectFrom('webhook_messages').select(['id', 'account_id']).where('webhook_id', '=', webhook_id).orderBy('created_at').orderBy('id').execute()
  return Promise.all(rows.map(({ id, account_id }) => findMessage(db, { account_id, id: webhook_id }, id)))
}

/** Waits for the only message of a webhook to be in a state, with this many tries. */
export async function reaches (service: TestApp, webhook_id: string, status: string, attempts?: number): Promise<Message> {
  return until(`the message of ${webhook_id} to be ${status}`, async () => {
    const [message] = await messagesOf(service, webhook_id)
    return message?.status === status && (attempts === undefined || message.attempts === attempts) && message
  })
}

/** The time of the next try has come. */
export async function due ({ db }: TestApp, webhook_id: string): Promise<void> {
  await db.updateTable('webhook_messages').set({ next_attempt_at: sql<Date>`now()` }).where('webhook_id', '=', webhook_id).where('status', '=', 'planned').execute()
  wakeWorker()
}

export const eventsOf = async ({ db }: TestApp, id: string): Promise<string[]> =>
  (await db.selectFrom('events').select('type').where('subject_id', '=', id).orderBy('created_at').orderBy('id').execute()).map(({ type }) => type)
