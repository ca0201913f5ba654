import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { createFollowUp } from './create-follow-up.js'
import { createPurchase } from './create-purchase.js'
import type { Actor, Caller, RequestRow, Service } from './request-row.js'
import type { NewRequest } from './bodies/schema.js'
import { assertSide, makerOf } from './transitions.js'

/**
 * Makes a request: a draft if it says so, else it goes at once to where it can be worked at. A provider asks for everything but an adjustment,
 * which is the vendor's. The caller calls wakeWorker() after the commit.
 *
 * @throws Problem wrong-side
 * @throws Problem validation-failed
 * @throws Problem asset-exists  a purchase repeats the external_uid of one
 * @throws Problem request-open  another request is under way on the asset
 */
export async function createRequest (trx: Transaction<Database>, service: Service, caller: Caller, actor: Actor, body: NewRequest): Promise<RequestRow> {
  assertSide(body.type, actor.side, [makerOf(body.type)])
  return body.type === 'purchase' ? createPurchase(trx, service, caller, actor, body) : createFollowUp(trx, service, caller, actor, { ...body, type: body.type })
}
