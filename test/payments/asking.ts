// A shop whose source has a key to its checkout's API, which answers on loopback, and a worker that asks it.
import type { Test } from 'tap'
import { startWorker } from '../../src/worker.js'
import { receiver, status, type Receiver } from '../support/receiver.js'
import { until } from '../support/until.js'
import { shopOf, type Payload, type Sender, type Shop } from './matrix.js'

type Json = Record<string, unknown>
export interface AskingShop { shop: Shop, api: Receiver, receive: (payload: Payload) => Promise<{ first: string, event: Json }> }

/** `answers`: by path. What has none is answered 404. `receive` posts an event, and returns how it was answered first and what became of it. */
export async function askingShop (t: Test, sender: Sender, api_key: string, answers: Record<string, object>): Promise<AskingShop> {
  const api = await receiver(t, (request, response) => {
    const answer = answers[request.path]
    status(answer === undefined ? 404 : 200, { 'content-type': 'application/json' }, JSON.stringify(answer ?? {}))(request, response)
  })
  const shop = await shopOf(t, sender, { api_key, api_url: new URL(api.url).origin })
  const log = { info () {}, warn () {}, error () {} }
  const worker = startWorker({ db: shop.db, config: shop.config, keyring: shop.keyring, log, transport: { async send () {} } as never })
  t.teardown(() => worker.stop())
  const receive: AskingShop['receive'] = async (payload) => {
    const { json } = await shop.send(payload)
    const event = await until('the event to wait no more', async () => {
      const kept = (await shop.call('GET', `/v1/payment-events/${String(json['id'])}`)).json<Json>()
      return kept['status'] === 'waiting' ? undefined : kept
    })
    return { first: String(json['status']), event }
  }
  return { shop, api, receive }
}
