import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { invalid, Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { isUndelivered } from './open.js'
import type { NewErasure } from './schema.js'
import { sealSubject, subjectFingerprint, type Subject } from './subject.js'

interface Asked { account_id: string, type: string, asked: Static<typeof NewErasure>, actor: string }

/**
 * Has the worker erase what the account knows of a person. Of a vendor that is the customer of orders, of a provider tier accounts. One that runs for the same
 * person goes on instead. Returns its id; the caller calls wakeWorker().
 *
 * @throws Problem validation-failed  not exactly one of email, order_id and tier_account_id
 * @throws Problem order-not-found
 * @throws Problem tier-account-not-found
 * @throws Problem customer-served  something is paid and not delivered, or not over; `params.ids` names it. Unless forced
 */
export async function startErasure (trx: Transaction<Database>, keyring: Keyring, given: Asked): Promise<string> {
  const { account_id, type, asked, actor } = given
  const { reason = null, force: forced = false } = asked
  const subject = await subjectOf(trx, given)
  if (!forced) await assertServed(trx, account_id, type, subject)
  const id = newId('ER')
  const kind = type === 'provider' ? 'tier_account' : 'customer'
  const made = await trx.insertInto('erasures').values({
    account_id,
    id,
    kind,
    phase: kind === 'customer' ? 'orders' : 'tier_accounts',
    fingerprint: subjectFingerprint(keyring, account_id, subject),
    sealed_subject: sealSubject(keyring, account_id, id, subject),
    forced,
    reason,
    created_by: actor,
  }).onConflict((conflict) => conflict.columns(['account_id', 'fingerprint']).where('status', '=', sql.lit('running'))
    .doUpdateSet({ forced: sql<boolean>`erasures.forced or excluded.forced` })).returning('id').executeTakeFirstOrThrow()
  if (made.id === id) await recordEvent(trx, { account_id, type: 'erasure.started', subject_id: id, actor, data: { kind, forced } })
  return made.id
}

async function subjectOf (db: Reader, { account_id, type, asked }: Asked): Promise<Subject> {
  const { email, order_id, tier_account_id } = asked
  const given = [email, order_id, tier_account_id].filter((one) => one !== undefined)
  if (given.length !== 1) throw invalid('email: give exactly one of email, order_id and tier_account_id')
  if (email !== undefined) return { email: email.toLowerCase() }
  if (order_id !== undefined) {
    const order = await db.selectFrom('orders').select(sql<string | null>`lower(customer ->> 'email')`.as('email'))
      .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
    if (order === undefined) throw new Problem('order-not-found')
    return order.email === null ? { order_id } : { email: order.email }
  }
  const account = type !== 'provider'
    ? undefined
    : await db.selectFrom('tier_accounts').select('id').where('provider_id', '=', account_id).where('id', '=', tier_account_id as string).executeTakeFirst()
  if (account === undefined) throw new Problem('tier-account-not-found')
  return { tier_account_id }
}

const NAMED_MAX = 100

/**
 * Looks where an index leads: at orders with the address as it is usually written, and at mails that are open. The worker looks at every order, and leaves
 * what is not delivered.
 */
async function assertServed (db: Reader, account_id: string, type: string, subject: Subject): Promise<void> {
  const { rows } = await (type === 'provider' ? liveAccounts(account_id, subject) : undeliveredOrders(account_id, subject)).execute(db)
  if (rows.length === 0) return
  const ids = rows.map((row) => row.id)
  throw new Problem('customer-served', {
    detail: `${ids.join(', ')}: not delivered, disputed or not over yet. Finish, refund or cancel it first; with "force" it is erased all the same, and what is left to be mailed is not mailed`,
    params: { ids },
  })
}

function undeliveredOrders (account_id: string, { email = '', order_id = '' }: Subject): RawBuilder<{ id: string }> {
  const isOpen: RawBuilder<SqlBool> = sql`o.account_id = ${account_id} and o.erased_at is null and ${isUndelivered}`
  return sql<{ id: string }>`
    select o.id from orders o where ${isOpen} and o.id = ${order_id}
    union
    select o.id from orders o where ${isOpen} and o.customer ->> 'email' = ${email}
    union
    select o.id from deliveries d join orders o on o.id = d.order_id
    where d.account_id = ${account_id} and d.status in ('planned', 'sending') and lower(d."to") = ${email} and ${isOpen}
    union
    select o.id from backorders b join orders o on o.id = b.order_id
    where b.account_id = ${account_id} and lower(o.customer ->> 'email') = ${email} and ${isOpen}
    order by id limit ${NAMED_MAX}`
}

function liveAccounts (provider_id: string, { email = '', tier_account_id = '' }: Subject): RawBuilder<{ id: string }> {
  return sql<{ id: string }>`
    select a.id from tier_accounts t join assets a on a.provider_id = t.provider_id and a.customer_id = t.id
    where t.provider_id = ${provider_id} and (t.id = ${tier_account_id} or lower(t.contact_info #>> '{contact,email}') = ${email}) and a.status not in ('draft', 'terminated')
    order by a.id limit ${NAMED_MAX}`
}
