import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, NullableMoment, OneOf } from '../plugins/schema.js'
import { PERMISSIONS, PRESETS, type Preset } from './permissions.js'

const AccountId = Type.String({ pattern: '^(VA|PA|OP)-\\d{3}-\\d{3}$', examples: ['VA-123-456'] })
const Name = Type.String({ minLength: 1, maxLength: 255, examples: ['Example Software'] })

export const NewAccount = Lenient({ name: Name, type: OneOf(['vendor', 'provider'], { description: 'A vendor owns license keys, a provider sells them on', examples: ['vendor'] }) })

export const ChangedAccount = Lenient({ name: Name })

export const Account = Type.Object({
  id: Type.String({ examples: ['VA-123-456'] }),
  name: Type.String(),
  type: OneOf(['operator', 'vendor', 'provider']),
  events: Type.Object({ created: Type.Object({ at: Moment() }) }),
}, { $id: 'Account' })

const Permissions = Type.Array(OneOf(PERMISSIONS), { minItems: 1, maxItems: PERMISSIONS.length, uniqueItems: true, description: 'What the key may do; or give a preset' })

export const NewApiKey = Lenient({
  name: Type.String({ minLength: 1, maxLength: 255, examples: ['shop'] }),
  preset: Type.Optional(OneOf(Object.keys(PRESETS) as Preset[], { description: 'A named set of permissions', examples: ['checkout'] })),
  permissions: Type.Optional(Permissions),
  account_id: Type.Optional(Type.String({ ...AccountId, description: 'Whose key; yours if left out. Only the operator names another' })),
  expires_at: Type.Optional(Type.String({ format: 'date-time', description: 'From then on the key is refused; never if left out', examples: ['2030-01-31T00:00:00Z'] })),
}, { description: 'Give either a preset or permissions' })

const apiKeyMembers = {
  id: Type.String({ examples: ['SU-123-456-789'] }),
  account_id: Type.String({ examples: ['VA-123-456'] }),
  name: Type.String(),
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
  created_at: { type: 'timestamp', aliases: ['created', 'events.created.at'], ordering: true },
})

export const apiKeyFields = rqlFields({
  id: { type: 'text', example: 'SU-123-456-789' },
  account_id: { type: 'text', example: 'VA-123-456' },
  name: { type: 'text', example: 'shop', ordering: true, search: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  expires_at: { type: 'timestamp', ordering: true },
  revoked_at: { type: 'timestamp', ordering: true },
})
