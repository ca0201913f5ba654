import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, NullableMoment, OneOf } from '../plugins/schema.js'
import { PERMISSIONS, PRESETS, type Preset } from './permissions.js'

const AccountId = Type.String({ pattern: '^(VA|PA|OP)-\\d{3}-\\d{3}$', examples: ['VA-123-456'] })
const Name = Type.String({ minLength: 1, maxLength: 255, examples: ['Example Software'] })

const words = {
  brand: Type.Optional(Type.String({ maxLength: 255, description: 'Under which name it is known to customers', examples: ['Example'] })),
  external_id: Type.Optional(Type.String({ maxLength: 255, description: 'What another system calls it', examples: ['crm-1001'] })),
  countries: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z]{2}$' }), { maxItems: 300, uniqueItems: true, description: 'Where it does business, ISO 3166-1', examples: [['DE', 'US']] })),
}

export const NewAccount = Lenient({
  name: Name,
  type: OneOf(['vendor', 'provider'], { description: 'A vendor owns license keys, a provider sells them on', examples: ['vendor'] }),
  ...words,
})

export const AccountChange = Lenient({ name: Type.Optional(Name), ...words }, { description: 'What is given replaces what was; the rest stays' })

export const Account = Type.Object({
  id: Type.String({ examples: ['VA-123-456'] }),
  name: Type.String(),
  type: OneOf(['operator', 'vendor', 'provider']),
  brand: Type.String(),
  external_id: Type.String(),
  countries: Type.Array(Type.String()),
  events: Type.Object({ created: Type.Object({ at: Moment() }) }),
}, { $id: 'Account' })

export const UserParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }), user_id: Type.String({ minLength: 1, maxLength: 100 }) })

export const User = Type.Object({
  id: Type.String({ examples: ['SU-123-456-789'] }),
  name: Type.String(),
  email: Type.String({ description: 'Empty: none was given', examples: ['ada@example.com'] }),
  type: OneOf(['service'], { description: 'Every user is an API key' }),
  events: Type.Object({ created: Type.Object({ at: Moment() }) }),
}, { $id: 'User' })

const Permissions = Type.Array(OneOf(PERMISSIONS), { minItems: 1, maxItems: PERMISSIONS.length, uniqueItems: true, description: 'What the key may do; or give a preset' })

export const NewApiKey = Lenient({
  name: Type.String({ minLength: 1, maxLength: 255, examples: ['shop'] }),
  email: Type.Optional(Type.String({ format: 'email', maxLength: 254, description: 'Of who uses it: requests are assigned by it', examples: ['ada@example.com'] })),
  preset: Type.Optional(OneOf(Object.keys(PRESETS) as Preset[], { description: 'A named set of permissions', examples: ['checkout'] })),
  permissions: Type.Optional(Permissions),
  account_id: Type.Optional(Type.String({ ...AccountId, description: 'Whose key; yours if left out. Only the operator names another' })),
  expires_at: Type.Optional(Type.String({ format: 'date-time', description: 'From then on the key is refused; never if left out', examples: ['2030-01-31T00:00:00Z'] })),
}, { description: 'Give either a preset or permissions' })

const apiKeyMembers = {
  id: Type.String({ examples: ['SU-123-456-789'] }),
  account_id: Type.String({ examples: ['VA-123-456'] }),
  name: Type.String(),
  email: Type.Unsafe<string | null>({ type: ['string', 'null'], examples: ['ada@example.com'] }),
  permissions: Type.Array(Type.String()),
  created_at: Moment(),
  expires_at: NullableMoment(),
  revoked_at: NullableMoment(),
}
export const ApiKey = Type.Object(apiKeyMembers, { $id: 'ApiKey' })
export const ApiKeyWithSecret = Type.Object({
  ...apiKeyMembers,
  api_key: Type.String({ description: 'The whole credential, shown only here: `Authorization: ApiKey <api_key>`', examples: ['SU-123-456-789:lk_…'] }),
}, { $id: 'ApiKeyWithSecret' })

export const accountFields = rqlFields({
  id: { type: 'text', example: 'VA-123-456', search: true },
  name: { type: 'text', example: 'Example Software', ordering: true, search: true },
  type: { type: 'text', values: ['operator', 'vendor', 'provider'] },
  brand: { type: 'text', example: 'Example', search: true },
  external_id: { type: 'text', example: 'crm-1001', search: true },
  created_at: { type: 'timestamp', aliases: ['created', 'events.created.at'], ordering: true },
})

export const apiKeyFields = rqlFields({
  id: { type: 'text', example: 'SU-123-456-789' },
  account_id: { type: 'text', example: 'VA-123-456' },
  name: { type: 'text', example: 'shop', ordering: true, search: true },
  email: { type: 'text', example: 'ada@example.com', search: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  expires_at: { type: 'timestamp', ordering: true },
  revoked_at: { type: 'timestamp', ordering: true },
})

export const userFields = rqlFields({
  id: { type: 'text', example: 'SU-123-456-789' },
  name: { type: 'text', example: 'shop', ordering: true, search: true },
  email: { type: 'text', example: 'ada@example.com', search: true },
  created_at: { type: 'timestamp', aliases: ['created', 'events.created.at'], ordering: true },
})
