import { sql } from 'kysely'
import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { KINDS } from './kinds.js'

/** What a batch needs to expire within, where the account set nothing. */
export const EXPIRING_DAYS_DEFAULT = 30

const ALERT_ID = 'AL-19ab3c4d5e6f0a1b2c3d4e5f607'
const POOL_ID = 'PL-0199f3c2a7b41f0c9d8e7a6b5c4d'
const MAIL_STATES = ['waiting', 'mailed', 'silent'] as const

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

const addresses = Type.Array(Type.String({ minLength: 3, maxLength: 254 }), {
  maxItems: 10, uniqueItems: true, description: 'Who is mailed, one plain address each; none: nobody', examples: [['stock@example.com']],
})
const muted = Type.Array(OneOf(KINDS), { maxItems: KINDS.length, uniqueItems: true, description: 'Kinds that are not mailed; they are raised and shown all the same', examples: [['pool.empty']] })
const expiring_days = Type.Integer({ minimum: 1, maximum: 365, description: '`batch.expiring`: so many days before', examples: [EXPIRING_DAYS_DEFAULT] })

export const AlertSettings = Type.Object({ addresses, muted, expiring_days }, { $id: 'AlertSettings', description: 'Who is told of alerts by mail' })
export const NewAlertSettings = Strict(
  { addresses: Type.Optional(addresses), muted: Type.Optional(muted), expiring_days: Type.Optional(expiring_days) },
  { description: 'Left out: nobody is mailed, nothing is muted, 30 days' })

const fieldsOfAlert = {
  id: Type.String({ examples: [ALERT_ID] }),
  kind: OneOf(KINDS, { examples: ['pool.low'] }),
  subject_id: Type.String({ description: 'What it is about: a pool, a delivery, an order or a batch', examples: [POOL_ID] }),
  step: Type.Integer({ minimum: 0, maximum: 99, description: 'Of `pool.low_percent`: which step; else 0', examples: [0] }),
  data: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, description: 'Ids and numbers of the moment it was raised', examples: [{ name: 'Pro EUR', mode: 'live', available: 19, threshold: 20 }] }),
  raised_at: Moment(),
  cleared_at: NullableMoment({ description: 'When it was over; null: it is not' }),
  mail_state: OneOf(MAIL_STATES, { description: '`waiting`: for the hour after the last mail to be over; `silent`: nobody wants it by mail, or it was over before', examples: ['mailed'] }),
}

export const Alert = Type.Object(fieldsOfAlert, { $id: 'Alert', description: 'Something that its vendor should know' })

export const AlertWithMails = Type.Object({
  ...fieldsOfAlert,
  mails: Type.Array(Type.Object({
    id: Type.String({ examples: ['AM-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
    to: Type.String({ examples: ['stock@example.com'] }),
    status: OneOf(['planned', 'sending', 'sent', 'failed', 'bounced'], { examples: ['sent'] }),
    attempts: Type.Integer({ minimum: 0, examples: [1] }),
    next_attempt_at: NullableMoment(),
    last_error: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'What the mail server or the network said, if it was not sent', examples: ['451 4.7.1 try again later'] }),
    sent_at: NullableMoment(),
  }), { description: 'The mail that told it, one for each address' }),
}, { $id: 'AlertWithMails' })

export const alertFields = rqlFields({
  id: { type: 'text', example: ALERT_ID },
  kind: { type: 'text', values: KINDS },
  subject_id: { type: 'text', example: POOL_ID },
  step: { type: 'integer' },
  is_open: { type: 'boolean', column: sql`(alerts.cleared_at is null)` },
  mail_state: { type: 'text', values: MAIL_STATES },
  raised_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  cleared_at: { type: 'timestamp', ordering: true },
})
