import { Type, type Static, type TSchema } from 'typebox'
import { REQUEST_TYPES } from '../../assets/schema.js'
import { ParamWriteSchema } from '../../parameters/schema.js'
import { Lenient, Nullable, ref } from '../../plugins/schema.js'
import { TierRef } from '../../tiers/accounts/schema.js'

/** Clients post whole objects back, with null for what is unset. */
const optional = <T extends TSchema>(schema: T) => Type.Optional(Nullable(schema))
const text = (maxLength: number, example: string, description?: string) =>
  optional(Type.String({ maxLength, examples: [example], ...(description === undefined ? {} : { description }) }))
const Ref = Lenient({ id: text(100, 'MP-12345') })
const moment = (description: string) => text(64, '2026-01-31T10:15:00+00:00', description)
const note = text(10_000, 'Please deliver before Friday')

const Params = optional(Type.Array(ref(ParamWriteSchema), { maxItems: 1000 }))

const ItemWriteSchema = Lenient({
  id: text(255, 'PRD-123-456-789-0001', 'The id of the item, or its local id'),
  global_id: text(255, 'PRD-123-456-789-0001'),
  local_id: text(255, 'seat'),
  mpn: text(255, 'SEAT-1'),
  quantity: Type.Optional(Type.Unsafe<string | number | null>({ type: ['integer', 'string', 'null'], description: 'A whole number, also as text; -1 or "unlimited"; 0: none', examples: [10] })),
})
export type ItemWrite = Static<typeof ItemWriteSchema>

const Tiers = Lenient({ customer: optional(TierRef), tier1: optional(TierRef), tier2: optional(TierRef) })

const asset = {
  id: text(100, 'AS-1234-5678-9012', 'Which asset; not of a purchase'),
  product: optional(Ref),
  connection: optional(Lenient({ id: text(100, 'CT-1234-5678-9012') })),
  marketplace: optional(Ref),
  external_id: text(255, 'order-1001'),
  external_uid: text(255, '5f4d8c2e-0b7c-4a29-9c55-8f8a6a0a3f10', 'Your own id of the purchase, unique in the connection; made if left out'),
  items: optional(Type.Array(ItemWriteSchema, { maxItems: 1000 })),
  params: Params,
  tiers: optional(Tiers),
}

const created = {
  status: text(20, 'draft', 'draft: nothing is asked for yet; all else is ignored'),
  note,
  planned_date: moment('When it is wanted'),
  marketplace: optional(Ref),
  external_attributes: Type.Optional(Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'] })),
  asset: optional(Lenient({ ...asset, external_attributes: Type.Optional(Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'] })) })),
}

export const NewRequestSchema = Lenient({
  type: Type.Unsafe<(typeof REQUEST_TYPES)[number]>({ type: 'string', enum: [...REQUEST_TYPES], examples: ['purchase'] }), ...created,
}, { $id: 'NewRequest', examples: [{ type: 'purchase', asset: { connection: { id: 'CT-1234-5678-9012' }, items: [{ id: 'PRD-123-456-789-0001', quantity: 1 }], tiers: { customer: { id: 'TA-1234-5678-9012' } } } }] })
export type NewRequest = Static<typeof NewRequestSchema>

export const RequestChangeSchema = Lenient(created, { $id: 'RequestChange', examples: [{ asset: { params: [{ id: 'license_key', value: 'ABCD-EFGH-IJKL' }] }, note: 'Delivered by hand' }] })
export type RequestChange = Static<typeof RequestChangeSchema>

const chosenText = {
  template_id: text(100, 'TL-123-456-789', 'A template of the product, of scope asset'),
  template: optional(Ref),
  activation_tile: text(65_536, '# Welcome', 'Markdown of your own instead of a template'),
}
export const ApprovalSchema = Lenient({
  ...chosenText,
  effective_date: moment('Since when it holds. Default: now'),
  asset: optional(Lenient({ billing: optional(Lenient({ next_date: moment('When it is billed next') })) })),
})
export type Approval = Static<typeof ApprovalSchema>
export const InquirySchema = Lenient(chosenText)
export type Inquiry = Static<typeof InquirySchema>

const reason = text(4000, 'The domain belongs to somebody else')
export const FailureSchema = Lenient({ reason })
// The SDK of Connect, from version 25, wraps these two.
export const RevocationSchema = Lenient({ reason, data: optional(Lenient({ reason })) })
const planned_date = moment('When it is to become pending')
export const ScheduleSchema = Lenient({ planned_date, data: optional(Lenient({ planned_date })) })
export const AssignmentSchema = Lenient({ id: text(100, 'SU-123-456-789', 'An API key of the vendor'), email: text(254, 'ada@example.com', 'The e-mail of one') })
export type Assignment = Static<typeof AssignmentSchema>

/** The form of a buyer: as PUT has it, or bare. */
export const FormSchema = Lenient({ params: Params, asset: optional(Lenient({ params: Params })) })
export type Form = Static<typeof FormSchema>
