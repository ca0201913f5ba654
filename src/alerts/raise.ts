import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { EVENT_OF, type Kind } from './kinds.js'

/** Something that a vendor should know. */
export interface NewAlert {
  account_id: string
  kind: Kind
  subject_id: string
  /** of pool.low_percent: which */
  step?: number
  /** what a mail an hour is about: the pool; '' where each subject is a new one */
  topic: string
  /** ids, names of pools and counts; never a key, nothing of a customer */
  data: Record<string, unknown>
}

interface Raised extends Pick<NewAlert, 'account_id' | 'kind' | 'subject_id' | 'data'> { id: string, step: number }

/**
 * Raises what is not open yet, and records that: one alert for a kind, subject and step at a time, by a unique index. The caller read the state
 * under a lock that others who look at it take too: what another has cleared meanwhile must not be raised from an old look.
 */
export async function raiseAlerts (trx: Transaction<Database>, alerts: readonly NewAlert[]): Promise<void> {
  if (alerts.length === 0) return
  const { rows } = await sql<Raised>`
    insert into alerts (account_id, kind, subject_id, step, topic, data)
    select account_id, kind, subject_id, coalesce(step, 0), topic, data
    from json_to_recordset(${JSON.stringify(alerts)}::json) as n (account_id text, kind text, subject_id text, step integer, topic text, data jsonb)
    on conflict do nothing
    returning account_id, id, kind, subject_id, step, data`.execute(trx)
  await recordEvent(trx, ...rows.flatMap(({ account_id, id, kind, subject_id, step, data }) => {
    const type = EVENT_OF[kind]
    const said = { ...data, alert_id: id, kind, ...(step === 0 ? {} : { step }) }
    return [
      { account_id, type: 'alert.raised', subject_id: id, data: { kind, subject_id, ...(step === 0 ? {} : { step }) } },
      ...(type === null ? [] : [{ account_id, type, subject_id, data: said }]),
    ]
  }))
}

/** Says of open alerts that they are over. What was not mailed yet is not mailed any more: there is nothing left to do about it. */
export async function clearAlerts (trx: Transaction<Database>, account_ids: readonly string[], ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  // raised_at may be later than the start of this transaction, which waited
  const { rows } = await sql<{ account_id: string, id: string, kind: Kind, subject_id: string }>`
    update alerts set cleared_at = greatest(raised_at, now()), mail_state = case mail_state when 'waiting' then 'silent' else mail_state end
    where account_id = any(${account_ids}::text[]) and id = any(${ids}::text[]) and cleared_at is null
    returning account_id, id, kind, subject_id`.execute(trx)
  await recordEvent(trx, ...rows.map(({ account_id, id, kind, subject_id }) => ({ account_id, type: 'alert.cleared', subject_id: id, data: { kind, subject_id } })))
}
