import { sql } from 'kysely'
import { Type, type Static, type TSchema } from 'typebox'
import { paramsRelation } from '../../parameters/params-relation.js'
import { ParamSchema, ParamWriteSchema } from '../../parameters/schema.js'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Moment, NullableMoment, Nullable, OneOf, ref } from '../../plugins/schema.js'
import { momentFields } from '../../products/schema.js'
import { TierAccount } from '../accounts/schema.js'
import { sharedFields, ShownTemplate, TierConfig } from '../configs/schema.js'
import { STATUSES } from './transitions.js'

const TYPES = ['setup', 'update', 'adjustment'] as const
const ENVIRONMENTS = ['test', 'production', 'preview'] as const

/** Clients post whole objects back, with null for what is unset. */
const optional = <T extends TSchema>(schema: T) => Type.Optional(Nullable(schema))
const text = (maxLength: number, example: string, description?: string) =>
  optional(Type.String({ maxLength, examples: [example], ...(description === undefined ? {} : { description }) }))
const Ref = Lenient({ id: text(100, 'PRD-123-456-789') })
const AccountRef = Lenient({ id: text(100, 'TA-1234-5678-9012'), external_uid: text(255, '5f4d8c2e-0b7c-4a29-9c55-8f8a6a0a3f10') })
const written = {
  params: optional(Type.Array(ref(ParamWriteSchema), { maxItems: 1000 })),
  notes: text(2000, 'Known from last year'),
}

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['TCR-123-456-789-001'] }) })

export const NewConfigRequest = Lenient({
  type: optional(OneOf(TYPES, { description: 'Without configuration.id it is always setup; with it update, unless adjustment is named' })),
  status: text(20, 'draft', 'draft: nothing is asked for yet; all else is ignored'),
  configuration: Lenient({
    id: text(100, 'TC-123-456-789', 'Which one to change; the rest tells which one to set up'),
    product: optional(Ref),
    account: optional(AccountRef),
    parent_account: optional(AccountRef),
    tier_level: optional(Type.Integer({ minimum: 0, maximum: 3, examples: [1] })),
    connection: optional(Ref),
  }),
  ...written,
}, { examples: [{ configuration: { id: 'TC-123-456-789' }, params: [{ id: 'partner_id', value: '4711' }] }] })
export type RequestToMake = Static<typeof NewConfigRequest>

export const ConfigRequestChange = Nullable(Lenient(written, { examples: [{ params: [{ id: 'partner_id', value: '4711' }], notes: 'Known from last year' }] }))

export const ConfigRequestApproval = Nullable(Lenient({
  template: optional(Lenient({ id: text(100, 'TL-123-456-789', 'A template of the product, of the scope of the tier'), representation: text(65_536, '# Welcome', 'Markdown of your own instead') })),
  effective_date: text(64, '2026-01-31T10:15:00+00:00', 'Since when it holds. Default: now'),
}))
export const ConfigRequestFailure = Nullable(Lenient({ reason: text(4000, 'We do not know this partner') }))
export const ConfigRequestAssignment = Nullable(Lenient({ id: text(100, 'SU-123-456-789', 'An API key of the vendor'), email: text(254, 'ada@example.com', 'The e-mail of one') }))

export const Approved = Type.Object({
  template: Type.Object({ id: Type.String({ examples: ['TL-123-456-789'] }), representation: Type.String({ examples: ['Your partner number: 4711'] }) }),
  effective_date: NullableMoment(),
}, { $id: 'ApprovedTierConfigRequest' })

const Occurred = Type.Object({ at: Moment() })
export const TierConfigRequest = Type.Object({
  id: Type.String({ examples: ['TCR-123-456-789-001'] }),
  type: OneOf(TYPES),
  status: OneOf(STATUSES, { description: 'tiers_setup: the reseller above comes first' }),
  configuration: Type.Optional(ref(TierConfig)),
  parent_configuration: Nullable(Type.Object({ id: Type.String({ examples: ['TC-123-456-788'] }) })),
  environment: OneOf(ENVIRONMENTS),
  params: Type.Array(ref(ParamSchema)),
  tiers: Type.Object({ tier1: Type.Union([ref(TierAccount), Type.Null()]), tier2: Type.Union([ref(TierAccount), Type.Null()]) }),
  assignee: Nullable(Type.Object({ id: Type.String({ examples: ['SU-123-456-789'] }), name: Type.String(), email: Type.String() })),
  template: Nullable(ShownTemplate),
  reason: Type.String(),
  notes: Type.String(),
  effective_date: NullableMoment(),
  events: Type.Object({
    created: Occurred, updated: Occurred, inquired: Type.Optional(Occurred), pended: Type.Optional(Occurred), approved: Type.Optional(Occurred),
  }),
}, { $id: 'TierConfigRequest', description: 'A demand to set up or change a tier configuration' })
export type TierConfigRequestDocument = Static<typeof TierConfigRequest>

const { tier_level, ...ofConfig } = sharedFields
const prefixed = Object.fromEntries(Object.entries({ ...ofConfig, tier_level: { ...tier_level, ordering: false } }).map(([name, field]) => {
  const aliases = 'aliases' in field ? { aliases: field.aliases.map((alias) => `configuration.${alias}`) } : {}
  return [`configuration.${name}`, { ...field, search: false, ...aliases }]
}))

export const configRequestFields = rqlFields({
  id: { type: 'text', column: 'r.id', ordering: true, example: 'TCR-123-456-789-001' },
  type: { type: 'text', column: 'r.type', values: TYPES, ordering: true },
  status: { type: 'text', column: 'r.status', values: STATUSES, ordering: true, example: 'pending' },
  environment: { type: 'text', column: 'r.environment', values: ENVIRONMENTS, ordering: true },
  unassigned: { type: 'boolean', column: sql`(r.assignee_id is null)` },
  'assignee.id': { type: 'text', column: 'r.assignee_id', aliases: ['assignee'] },
  'assignee.name': { type: 'text', column: 'u.name' },
  'template.id': { type: 'text', column: 'r.template_id' },
  'configuration.id': { type: 'text', column: 'r.tier_config_id', example: 'TC-123-456-789' },
  'configuration.account.hub.id': { type: 'text', column: 'a.hub_id' },
  'configuration.account.hub.name': { type: 'text', column: 'ah.name' },
  ...prefixed,
  'params.id': { type: 'text', column: 'pp.name', relation: 'params', example: 'partner_id' },
  'params.value': { type: 'text', column: 'pv.value', relation: 'params' },
  ...momentFields('r'),
}, { relations: { params: paramsRelation('r.account_id', 'r.id') } })
