import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { eraseOrder } from './erase-order.js'
import { isUndelivered } from './open.js'

interface TierAccountToErase { provider_id: string, id: string, forced: boolean, erasure_id: string, actor: string | null }

/** `busy`: a mail is being sent; come again. */
export type ErasedTierAccount = { outcome: 'erased', orders: number, payment_events: number, purchases: number } | { outcome: 'kept' } | { outcome: 'busy' }

const ERASED = 'erased'
/** As src/tiers/accounts writes what was not given. */
const NO_CONTACT = JSON.stringify({
  address_line1: '',
  address_line2: '',
  city: '',
  state: '',
  postal_code: '',
  country: '',
  contact: { first_name: '', last_name: '', email: '', phone_number: { country_code: '', area_code: '', phone_number: '', extension: '' } },
})

/**
 * Erases a tier account of a provider in every version, and what was said of the purchases that it made as a customer: ordering parameters, notes,
 * conversations, the customer of the orders that filled them. Assets, requests, their items and licenses stay. One with an asset that is not terminated is
 * left, unless forced.
 */
export async function eraseTierAccount (trx: Transaction<Database>, given: TierAccountToErase): Promise<ErasedTierAccount> {
  const { provider_id, id, forced, erasure_id, actor } = given
  await trx.selectFrom('tier_accounts').select('id').where('provider_id', '=', provider_id).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
  const assets = await trx.selectFrom('assets').select(['id', 'status']).where('provider_id', '=', provider_id).where('customer_id', '=', id).execute()
  if (!forced && assets.some(({ status }) => status !== 'draft' && status !== 'terminated')) return { outcome: 'kept' }
  const done = { orders: 0, payment_events: 0 }
  for (const order of await ordersOf(trx, provider_id, id)) {
    const erased = await eraseOrder(trx, { ...order, is_kept: forced ? sql`false` : isUndelivered, erasure_id, actor })
    if (erased.outcome === 'kept' || erased.outcome === 'busy') return erased
    done.orders += erased.outcome === 'erased' ? 1 : 0
    done.payment_events += erased.outcome === 'erased' ? erased.payment_events : 0
  }
  await erasePurchases(trx, provider_id, id)
  await eraseSetUps(trx, provider_id, id)
  await eraseAccount(trx, provider_id, id)
  await recordEvent(trx, { account_id: provider_id, type: 'tier_account.erased', subject_id: id, actor, data: { erasure_id } })
  return { outcome: 'erased', ...done, purchases: assets.length }
}

/** Those that filled its purchases, with their vendors. */
async function ordersOf (trx: Transaction<Database>, provider_id: string, customer_id: string): Promise<Array<{ account_id: string, order_id: string }>> {
  const { rows } = await sql<{ account_id: string, order_id: string }>`
    select q.account_id, o.id as order_id from assets a join requests q on q.account_id = a.account_id and q.asset_id = a.id
    join orders o on o.account_id = q.account_id and o.source_id = 'requests' and o.external_id = q.id
    where a.provider_id = ${provider_id} and a.customer_id = ${customer_id} order by q.account_id, o.id`.execute(trx)
  return rows
}

/** What the buyer gave is erased; what the vendor gave, as the license, stays. */
async function eraseValues (trx: Transaction<Database>, owners: ReturnType<typeof sql>): Promise<void> {
  await sql`
    update parameter_values v set value = null, structured_value = null, sealed = null, value_error = '', structured_error = null
    from ${owners} w, product_parameters p
    where v.account_id = w.account_id and v.owner_id = w.owner_id and p.account_id = v.account_id and p.id = v.parameter_id and p.phase = 'ordering'`.execute(trx)
}

/** What people wrote about requests; what the service noted holds ids and states. */
async function eraseMessages (trx: Transaction<Database>, requests: ReturnType<typeof sql>): Promise<void> {
  await sql`
    update messages m set text = ${ERASED} from conversations c join ${requests} q on c.account_id = q.account_id and c.instance_id = q.id
    where m.account_id = c.account_id and m.conversation_id = c.id and m.type <> 'state_change' and m.author_id is not null`.execute(trx)
}

async function erasePurchases (trx: Transaction<Database>, provider_id: string, customer_id: string): Promise<void> {
  const assets = sql`(select account_id, id from assets where provider_id = ${provider_id} and customer_id = ${customer_id})`
  const requests = sql`(select q.account_id, q.id from requests q join ${assets} a on q.account_id = a.account_id and q.asset_id = a.id)`
  await eraseValues(trx, sql`(select account_id, id as owner_id from ${assets} a union all select account_id, id from ${requests} q)`)
  await sql`update requests r set note = '', reason = '', external_attributes = null from ${requests} q where r.account_id = q.account_id and r.id = q.id`.execute(trx)
  await eraseMessages(trx, requests)
  await sql`
    update billing_requests b set attributes = jsonb_set(b.attributes, '{provider}', '{}') from ${assets} a
    where b.account_id = a.account_id and b.asset_id = a.id`.execute(trx)
}

/** How a reseller was set up, and what vendors were told of changes of any account. */
async function eraseSetUps (trx: Transaction<Database>, provider_id: string, id: string): Promise<void> {
  const configs = sql`(select account_id, id from tier_configs where provider_id = ${provider_id} and tier_account_id = ${id})`
  const requests = sql`(select q.account_id, q.id from tier_config_requests q join ${configs} c on q.account_id = c.account_id and q.tier_config_id = c.id)`
  await eraseValues(trx, sql`(select account_id, id as owner_id from ${configs} c union all select account_id, id from ${requests} q)`)
  await sql`update tier_config_requests r set reason = '', notes = '' from ${requests} q where r.account_id = q.account_id and r.id = q.id`.execute(trx)
  await eraseMessages(trx, requests)
  await trx.updateTable('tier_account_requests').set({ reason: '' }).where('provider_id', '=', provider_id).where('tier_account_id', '=', id).execute()
  await eraseMessages(trx, sql`(select account_id, id from tier_account_requests where provider_id = ${provider_id} and tier_account_id = ${id})`)
}

/** A later purchase in its old external_uid makes another account. */
async function eraseAccount (trx: Transaction<Database>, provider_id: string, id: string): Promise<void> {
  const external_uid = `${ERASED}-${id}`
  await trx.updateTable('tier_accounts').set({ name: ERASED, external_id: '', external_uid, tax_id: '', contact_info: NO_CONTACT, updated_at: sql<Date>`now()` })
    .where('provider_id', '=', provider_id).where('id', '=', id).execute()
  await sql`
    update tier_account_versions set snapshot = jsonb_build_object(
      'name', ${ERASED}::text, 'external_id', '', 'external_uid', ${external_uid}::text, 'tax_id', '', 'contact_info', ${NO_CONTACT}::jsonb)
    where provider_id = ${provider_id} and tier_account_id = ${id}`.execute(trx)
}
