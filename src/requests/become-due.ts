import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import type { Found } from './find-waiting.js'
import { pendRequest } from './pend.js'
import { lockOwnRequest, SERVICE } from './request-row.js'

/** Makes a scheduled request pending, now that its date has come. One that was moved in between stays as it is. */
export async function becomeDue (trx: Transaction<Database>, keyring: Keyring, { account_id, id }: Found): Promise<void> {
  const request = await lockOwnRequest(trx, account_id, id)
  if (request?.status === 'scheduled') await pendRequest(trx, keyring, request, SERVICE)
}
