import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { OUTCOMES } from './items.js'

const RECALL_ID = 'RC-19ab3c4d5e6f0a1b2c3d4e5f607'
const BATCH_ID = 'BA-0199f3c2a7b41f0c9d8e7a6b5c4d'
const LICENSE_ID = 'LI-0199f3c2a7b41f0c9d8e7a6b5c4d'
const ORDER_ID = 'OR-0199f3c2a7b41f0c9d8e7a6b5c4d'
const STATUSES = ['running', 'done', 'cancelled'] as const
const PHASES = ['withdrawing', 'replacing'] as const

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

const reason = Type.String({ minLength: 1, maxLength: 500, description: 'Kept with the licenses; customers are not told', examples: ['leaked to a forum'] })
export const BadLicense = Strict({ reason })
export const NewRecall = Strict({
  reason,
  dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Answers 200 with what would happen, and changes nothing' })),
})

const count = (description: string) => Type.Integer({ minimum: 0, maximum: 2147483647, description })

export const Recall = Type.Object({
  id: Type.String({ examples: [RECALL_ID] }),
  batch_id: Type.String({ examples: [BATCH_ID] }),
  pool_id: Type.String({ examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  reason: Type.String({ examples: ['leaked to a forum'] }),
  status: OneOf(STATUSES, { examples: ['running'] }),
  phase: OneOf(PHASES, { description: 'First what is unsold is withdrawn, then what was sold is replaced', examples: ['replacing'] }),
  total: count('Licenses of the batch'),
  withdrawn: count('Were unsold, and nobody gets them'),
  replaced: count('Were sold, and their orders have others'),
  short: count('Were sold, are revoked, and wait for stock'),
  failed: count('Were sold and revoked, and their orders ended before there were others'),
  skipped: count('Had been withdrawn or revoked before'),
  created_by: Type.String({ description: 'The API key, or `cli`', examples: ['SU-123-456-789'] }),
  created_at: Moment(),
  finished_at: NullableMoment({ description: 'When the last license was looked at; what is short may still be replaced' }),
}, { $id: 'Recall', description: 'The recall of a batch; its counts add up to `total` once it is done' })

export const RecallProspect = Type.Object({
  total: count('Licenses of the batch'),
  unsold: count('Would be withdrawn: in stock, or held'),
  delivered: count('Would be replaced: orders have them'),
  ended: count('Would be skipped: withdrawn or revoked'),
  orders: count('Whose customers would get a mail'),
  short: count('Of the delivered ones: those that would wait for stock, as it is now'),
}, { $id: 'RecallProspect', description: 'What a recall would do now' })

export const RecallItem = Type.Object({
  license_id: Type.String({ examples: [LICENSE_ID] }),
  outcome: OneOf(OUTCOMES, { examples: ['replaced'] }),
  order_id: Nullable(Type.String({ description: 'Who held it', examples: [ORDER_ID] })),
  replaced_by: Nullable(Type.String({ description: 'The license that the order has in its place', examples: [LICENSE_ID] })),
  detail: Nullable(Type.String({ description: 'Why it failed or was skipped', examples: ['it was revoked before'] })),
  done_at: Moment(),
}, { $id: 'RecallItem', description: 'What a recall did about one license' })

export const recallFields = rqlFields({
  id: { type: 'text', example: RECALL_ID },
  batch_id: { type: 'text', example: BATCH_ID },
  pool_id: { type: 'text', example: 'PL-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  status: { type: 'text', values: STATUSES },
  phase: { type: 'text', values: PHASES },
  reason: { type: 'text', example: 'leaked to a forum', search: true },
  short: { type: 'integer', ordering: true },
  created_by: { type: 'text', example: 'SU-123-456-789' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  finished_at: { type: 'timestamp', ordering: true },
})

export const itemFields = rqlFields({
  id: { type: 'text', column: 'i.license_id', aliases: ['license_id'], example: LICENSE_ID },
  outcome: { type: 'text', column: 'i.outcome', values: OUTCOMES },
  order_id: { type: 'text', column: 'i.order_id', example: ORDER_ID },
  done_at: { type: 'timestamp', column: 'i.done_at', ordering: true },
})
