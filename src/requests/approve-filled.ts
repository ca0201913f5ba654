import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { approveFilled } from './fill-from-pool.js'
import type { Found } from './find-waiting.js'
import { lockOwnRequest } from './request-row.js'

/** Approves a request that waited for stock, when its order has got all. One that was moved in between stays as it is. */
export async function approveFilledRequest (trx: Transaction<Database>, keyring: Keyring, { account_id, id }: Found): Promise<void> {
  const request = await lockOwnRequest(trx, account_id, id)
  if (request?.waits_for_stock === true) await approveFilled(trx, keyring, request)
}
