import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { invalid } from '../problems.js'
import { assertNoneOpen, assertUnknown } from './conflicts.js'
import { applyItems, assertChanges, assertNotEmpty, itemsOf } from './items.js'
import { proceed } from './proceed.js'
import { refreshDraft } from './refresh-draft.js'
import { lockAsset, type Actor, type AssetRow, type RequestRow, type Service } from './request-row.js'
import { assertStillUnique } from './write-params.js'
import { EFFECTS, findMove, type RequestType } from './transitions.js'

/**
 * Opens a draft that was left for a while.
 *
 * @throws Problem validation-failed  as openRequest; a change that changes nothing; or another asset has got a value that must be unique
 */
export async function openDraft (trx: Transaction<Database>, service: Service, request: RequestRow, verb: 'purchase' | 'submit', actor: Actor): Promise<RequestRow> {
  findMove(request, verb, actor.side)
  await assertStillUnique(trx, service.keyring, request)
  if (request.type === 'change') await assertChanges(trx, request)
  return openRequest(trx, service, request, verb, actor)
}

/**
 * Takes a locked draft out of draft: now it is asked for, and everything that it needs is looked at.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  something is missing, or the asset is not in a state for it
 * @throws Problem asset-exists
 * @throws Problem request-open
 */
export async function openRequest (trx: Transaction<Database>, service: Service, request: RequestRow, verb: 'purchase' | 'submit', actor: Actor): Promise<RequestRow> {
  findMove(request, verb, actor.side)
  const asset = await lockAsset(trx, request.account_id, request.asset_id)
  assertFits(request.type, asset)
  await assertNoneOpen(trx, service, request)
  if (request.type === 'purchase') {
    await assertUnknown(trx, service, { account_id: request.account_id, id: asset.connection_id }, asset.external_uid)
    if (asset.customer_id === null) throw invalid('asset.tiers.customer: is required')
    await applyItems(trx, request)
    assertNotEmpty(await itemsOf(trx, request.account_id, request.asset_id))
  } else if (request.created_at < asset.updated_at) {
    await refreshDraft(trx, service.keyring, request)
  }
  return proceed(trx, service.keyring, request, verb, actor)
}

/** @throws Problem validation-failed */
export function assertFits (type: RequestType, { id, status }: Pick<AssetRow, 'id' | 'status'>): void {
  const { needs } = EFFECTS[type]
  if (needs.includes(status)) return
  // a text that published clients compare
  if (type === 'change' && status === 'suspended') throw invalid('Request type change is not allowed when asset state is suspended')
  throw invalid(`asset.id: ${id} is ${status}; a request of type ${type} is possible while it is ${needs.join(' or ')}`)
}
