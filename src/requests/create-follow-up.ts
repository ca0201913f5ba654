import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { copyValues } from '../parameters/copy-values.js'
import { invalid } from '../problems.js'
import { capabilitiesOf } from '../products/capabilities.js'
import { assertNoneOpen } from './conflicts.js'
import { insertRequest } from './insert.js'
import { assertChanged, assertNotEmpty, itemsOf, readItems, writeRequestItems, type Quantities } from './items.js'
import { tell } from './move.js'
import { assertFits, openRequest } from './open.js'
import { readMoment } from './read-moment.js'
import { lockAsset, type Actor, type AssetRow, type Caller, type RequestRow, type Service } from './request-row.js'
import type { NewRequest } from './bodies/schema.js'
import type { RequestType } from './transitions.js'
import { writeParams } from './write-params.js'

/** The reason that published clients compare. */
const NO_HOLD = 'The product doesn\'t support suspend/resume operations.'

type NewFollowUp = NewRequest & { type: Exclude<RequestType, 'purchase'> }

/** Makes a request on an asset that there is. See create.ts. */
export async function createFollowUp (trx: Transaction<Database>, service: Service, caller: Caller, actor: Actor, body: NewFollowUp): Promise<RequestRow> {
  const { type, note, external_attributes } = body
  const planned_date = readMoment('planned_date', body.planned_date)
  const asset = await findAsset(trx, caller, body.asset?.id)
  assertFits(type, asset)
  const isDraft = body.status === 'draft'
  if (!isDraft) await assertNoneOpen(trx, service, { account_id: asset.account_id, asset_id: asset.id, id: '' })
  const before = await itemsOf(trx, asset.account_id, asset.id)
  const after = type === 'change' ? await readChange(trx, asset, before, body) : before
  const failed_because = (type === 'suspend' || type === 'resume') && !await canHold(trx, asset) ? NO_HOLD : undefined
  const request = await insertRequest(trx, asset, { type, note, planned_date, external_attributes, failed_because }, actor)
  await writeRequestItems(trx, request, before, after)
  await copyValues(trx, service.keyring, asset.account_id, asset.id, request.id)
  if (type === 'change' || type === 'adjustment') await writeParams(trx, service.keyring, request, actor, body.asset?.params ?? [], { mode: isDraft ? 'validate' : 'strict' })
  if (!isDraft && failed_because === undefined) return openRequest(trx, service, request, 'submit', actor)
  await tell(trx, request, null, actor)
  return request
}

async function findAsset (trx: Transaction<Database>, caller: Caller, id: string | null | undefined): Promise<AssetRow> {
  if (!id) throw invalid('asset.id: is required')
  const found = await trx.selectFrom('assets').select('account_id').where(caller.type === 'provider' ? 'provider_id' : 'account_id', '=', caller.id)
    .where('id', '=', id).where('status', '<>', 'draft').executeTakeFirst()
  if (found === undefined) throw invalid(`asset.id: there is no asset ${JSON.stringify(id)}`)
  return lockAsset(trx, found.account_id, id)
}

/** Items that are not named keep their quantity. */
async function readChange (trx: Transaction<Database>, asset: AssetRow, before: Quantities, body: NewFollowUp): Promise<Quantities> {
  const after = new Map([...before, ...await readItems(trx, asset, body.asset?.items ?? [])])
  if (body.status === 'draft' && body.asset?.items == null) return after
  if (body.asset?.items?.length === 0) assertNotEmpty(new Map()) // clients know an empty list by these words
  assertChanged(before, after)
  assertNotEmpty(after)
  return after
}

async function canHold (trx: Transaction<Database>, { account_id, product_id }: AssetRow): Promise<boolean> {
  const product = await trx.selectFrom('products').select('capabilities').where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirstOrThrow()
  return capabilitiesOf(product).subscription_hold
}
