import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { deleteDraft } from './delete-draft.js'
import type { Found } from './find-waiting.js'
import { lockOwnRequest, SERVICE } from './request-row.js'

/** Deletes a draft that was left lying. One that was moved in between stays. */
export async function purgeDraft (trx: Transaction<Database>, { account_id, id }: Found): Promise<void> {
  const request = await lockOwnRequest(trx, account_id, id)
  if (request?.status === 'draft') await deleteDraft(trx, request, SERVICE)
}
