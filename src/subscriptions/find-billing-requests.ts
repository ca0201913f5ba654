import { sql } from 'kysely'
import { assetsSeenBy, type Viewer } from '../assets/find-asset.js'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { recurringAssets } from './recurring-assets.js'
import type { BilledItemDocument, BillingRequestDocument } from './schema.js'

// What is stored as JSON, and what a CHECK says of a column; the generated types know neither.
interface Words {
  type: BillingRequestDocument['type']
  items: BilledItemDocument[]
  attributes: BillingRequestDocument['attributes']
  period_uom: BillingRequestDocument['period']['uom']
}

/** The billing requests of the assets that a caller has a part in, whichever side made them, in no order. */
export function billingRequestsOf (db: Reader, viewer: Viewer) {
  return assetsSeenBy(db, viewer)
    .innerJoin('billing_requests as b', (join) => join.onRef('b.account_id', '=', 'a.account_id').onRef('b.asset_id', '=', 'a.id'))
    .select(['b.id', 'b.period_from', 'b.period_to', 'b.period_delta', 'b.created_at', 'b.updated_at'])
    .select([sql<Words['type']>`b.type`.as('type'), sql<Words['items']>`b.items`.as('items'), sql<Words['attributes']>`b.attributes`.as('attributes')])
    .select(sql<Words['period_uom']>`b.period_uom`.as('period_uom'))
}
type BillingRequestRow = Awaited<ReturnType<ReturnType<typeof billingRequestsOf>['executeTakeFirstOrThrow']>>

/** Billing requests in Connect's shape, each with its asset as it is now, in a constant number of statements. */
export async function billingRequestDocuments (
  db: Reader, keyring: Keyring, viewer: Viewer, rows: readonly BillingRequestRow[]
): Promise<BillingRequestDocument[]> {
  const assets = await recurringAssets(db, keyring, viewer, rows, (part) => ['items', 'params', 'configuration'].includes(part))
  return rows.map((row, i) => ({
    id: row.id,
    type: row.type,
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
    asset: assets[i]!,
    items: row.items,
    attributes: row.attributes,
    period: { from: row.period_from, to: row.period_to, delta: row.period_delta, uom: row.period_uom },
  }))
}

/** @throws Problem billing-request-not-found */
export async function findBillingRequest (db: Reader, keyring: Keyring, viewer: Viewer, id: string): Promise<BillingRequestDocument> {
  const row = await billingRequestsOf(db, viewer).where('b.id', '=', id).executeTakeFirst()
  if (row === undefined) throw new Problem('billing-request-not-found')
  return (await billingRequestDocuments(db, keyring, viewer, [row]))[0]!
}
