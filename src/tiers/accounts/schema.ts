import { sql } from 'kysely'
import { Type, type Static, type TSchema } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Moment, Nullable, OneOf } from '../../plugins/schema.js'
import { Named } from '../schema.js'

const ACCOUNT_TYPES = ['customer', 'reseller'] as const
export type TierAccountType = typeof ACCOUNT_TYPES[number]
export const SCOPES = ['customer', 'tier1', 'tier2'] as const
export type TierScope = typeof SCOPES[number]
const ENVIRONMENTS = ['production', 'test', 'preview'] as const

/** Clients post whole objects back, with null for what is unset. */
const optional = <T extends TSchema>(schema: T) => Type.Optional(Nullable(schema))
const text = (maxLength: number, example: string) => optional(Type.String({ maxLength, examples: [example] }))

const PhoneNumber = Lenient({ country_code: text(10, '+1'), area_code: text(10, '541'), phone_number: text(40, '7543010'), extension: text(10, '') })
const Contact = Lenient({
  first_name: text(100, 'Ada'), last_name: text(100, 'Lovelace'), email: text(254, 'ada@example.com'), phone_number: optional(PhoneNumber),
})
const GivenContact = Lenient({
  address_line1: text(255, '12 Long Lane'),
  address_line2: text(255, ''),
  city: text(100, 'London'),
  state: text(100, ''),
  postal_code: text(30, 'EC1A 9PN'),
  country: text(2, 'GB'),
  contact: optional(Contact),
}, { description: 'Where and who it is. A new account needs all but address_line2, state and phone_number' })

const given = {
  name: text(255, 'Analytical Engines Ltd'),
  external_id: text(255, '1001'),
  external_uid: text(255, '5f4d8c2e-0b7c-4a29-9c55-8f8a6a0a3f10'),
  tax_id: text(100, 'GB123456789'),
  contact_info: optional(GivenContact),
}
const Ref = Lenient({ id: Type.String({ minLength: 1, maxLength: 100 }) })

/** One account in the sales chain of a purchase: `{}` for none, by its id, or in full. Connect's clients send more fields, which are not looked at. */
export const TierRef = Lenient({ id: text(100, 'TA-1234-5678-9012'), ...given })
export type GivenTier = Static<typeof TierRef>
export type GivenContactInfo = Static<typeof GivenContact>

export const NewTierAccount = Lenient({
  ...given,
  name: Type.String({ minLength: 1, maxLength: 255, examples: ['Analytical Engines Ltd'] }),
  contact_info: GivenContact,
  type: OneOf(ACCOUNT_TYPES),
  environment: optional(OneOf(ENVIRONMENTS)),
  scopes: optional(Type.Array(OneOf(SCOPES), { maxItems: 3, uniqueItems: true, description: 'Where in a chain it has stood; purchases add to it' })),
  parent: optional(Ref),
  hub: optional(Ref),
})
export type AccountToMake = Static<typeof NewTierAccount>

export const TierAccountChange = Lenient(given, { description: 'What is given replaces what was; the rest stays. The same data again changes nothing' })
export type AccountChange = Static<typeof TierAccountChange>

const shownText = Type.String()
const ShownContactInfo = Type.Object({
  address_line1: shownText,
  address_line2: shownText,
  city: shownText,
  state: shownText,
  postal_code: shownText,
  country: Type.String({ description: 'ISO 3166-1, two letters', examples: ['GB'] }),
  contact: Type.Object({
    first_name: shownText,
    last_name: shownText,
    email: shownText,
    phone_number: Type.Object({ country_code: shownText, area_code: shownText, phone_number: shownText, extension: shownText }),
  }),
})
export type ContactInfo = Static<typeof ShownContactInfo>

const brief = {
  id: Type.String({ examples: ['TA-1234-5678-9012'] }),
  external_id: Type.String({ description: 'The provider\'s own number for it; empty if it gave none' }),
  external_uid: Type.String(),
  name: Type.String(),
  tax_id: Type.String(),
  contact_info: ShownContactInfo,
}
/** A tier account inside requests and assets. */
export const BriefTierAccount = Type.Object(brief)
export type BriefTierDocument = Static<typeof BriefTierAccount>

export const TierAccount = Type.Object({
  ...brief,
  version: Type.Integer({ minimum: 1, maximum: 2147483647, description: 'Counts the changes; each can be read at /versions/{version}' }),
  type: OneOf(ACCOUNT_TYPES),
  environment: OneOf(ENVIRONMENTS),
  scopes: Type.Array(OneOf(SCOPES)),
  parent: Nullable(Type.Object({ id: Type.String(), name: Type.String(), external_id: Type.String() })),
  owner: Named,
  hub: Nullable(Named),
  events: Type.Object({ created: Type.Object({ at: Moment() }), updated: Type.Object({ at: Moment() }) }),
}, { $id: 'TierAccount' })
export type TierDocument = Static<typeof TierAccount>

export const tierAccountFields = rqlFields({
  id: { type: 'text', column: 'a.id', example: 'TA-1234-5678-9012' },
  name: { type: 'text', column: 'a.name', ordering: true, search: true, example: 'Analytical Engines Ltd' },
  external_id: { type: 'text', column: 'a.external_id', search: true, example: '1001' },
  external_uid: { type: 'text', column: 'a.external_uid', search: true, example: '5f4d8c2e-0b7c-4a29-9c55-8f8a6a0a3f10' },
  type: { type: 'text', column: 'a.type', values: ACCOUNT_TYPES },
  tax_id: { type: 'text', column: 'a.tax_id', example: 'GB123456789' },
  environment: { type: 'text', column: 'a.environment', values: ENVIRONMENTS },
  scopes: { type: 'text', column: sql`s.scope`, relation: 'scopes', values: SCOPES },
  'hub.id': { type: 'text', column: 'a.hub_id', example: 'HB-1234-5678' },
  'hub.name': { type: 'text', column: 'h.name', example: 'Shop' },
  'owner.id': { type: 'text', column: 'a.provider_id', example: 'PA-123-456' },
  'owner.name': { type: 'text', column: 'o.name', example: 'Distributor' },
  'parent.id': { type: 'text', column: 'a.parent_id', example: 'TA-1234-5678-9013' },
  'parent.name': { type: 'text', column: 'p.name', example: 'Reseller' },
  'parent.parent.id': { type: 'text', column: 'p.parent_id', example: 'TA-1234-5678-9014' },
  'contact_info.contact.email': { type: 'text', column: sql`a.contact_info #>> '{contact,email}'`, search: true, example: 'ada@example.com' },
  'events.created.at': { type: 'timestamp', column: 'a.created_at', aliases: ['created', 'created_at'], ordering: true },
  'events.updated.at': { type: 'timestamp', column: 'a.updated_at', aliases: ['updated', 'updated_at'], ordering: true },
}, { relations: { scopes: (where) => sql`exists (select from unnest(a.scopes) as s (scope) where ${where})` } })

export const versionFields = rqlFields({
  id: { type: 'integer', column: 'v.version', example: '1' },
  version: { type: 'integer', column: 'v.version', ordering: true, example: '1' },
  created_at: { type: 'timestamp', column: 'v.created_at', aliases: ['created'], ordering: true },
})
