import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, OneOf } from '../../plugins/schema.js'
import { Events, longText, momentFields } from '../schema.js'

const SCOPES = ['asset', 'tier1', 'tier2'] as const

const action = Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9_.-]+$', description: 'Unique in the product', examples: ['sso'] })
const title = Type.String({ minLength: 1, maxLength: 255, examples: ['Log in'] })
const scope = OneOf(SCOPES, { description: 'What it is for: an asset, or the tier configuration of a level', examples: ['asset'] })
const type = Type.String({ minLength: 1, maxLength: 50, description: 'How marketplaces show it', examples: ['button'] })
const url = Type.String({ format: 'uri', maxLength: 2048, pattern: '^https?://[^#]*$', description: 'A page of yours; links add a signed `jwt` to its query', examples: ['https://example.com/sso'] })
const secret = Type.String({ minLength: 32, maxLength: 255, description: 'Signs the links (HS256); made if left out', examples: ['0123456789abcdef0123456789abcdef'] })
const writable = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'The action if left out' })),
  type: Type.Optional(type),
  description: Type.Optional(longText()),
  secret: Type.Optional(secret),
}

export const NewAction = Lenient({ action, title, url, scope: Type.Optional(scope), ...writable }, { description: 'A button of an asset if scope and type are left out' })
export const ActionChange = Lenient({
  action: Type.Optional(action), title: Type.Optional(title), url: Type.Optional(url), scope: Type.Optional(scope), ...writable,
}, { description: 'What is given replaces what was; the rest stays' })

const actionMembers = {
  id: Type.String({ examples: ['ACT-123-456-789'] }),
  action,
  name: Type.String(),
  title,
  type,
  scope,
  description: Type.String(),
  url: Type.Optional(Type.String({ description: 'Only the vendor sees it' })),
  events: Events,
}
export const Action = Type.Object(actionMembers, { $id: 'Action' })
export const ActionWithSecret = Type.Object({ ...actionMembers, secret: Type.String({ description: 'Shown only here' }) }, { $id: 'ActionWithSecret' })

export const LinkQuery = Type.Object({
  asset_id: Type.Optional(Type.String({ maxLength: 100, description: 'Of an action for assets', examples: ['AS-1234-5678-9012'] })),
  tier_config_id: Type.Optional(Type.String({ maxLength: 100, description: 'Of an action for a tier', examples: ['TC-123-456-789'] })),
})
export const ActionLink = Type.Object({ link: Type.String({ description: 'Good for ten minutes', examples: ['https://example.com/sso?jwt=…'] }) }, { $id: 'ActionLink' })

export const actionFields = rqlFields({
  id: { type: 'text', example: 'ACT-123-456-789' },
  action: { type: 'text', ordering: true, search: true, example: 'sso' },
  name: { type: 'text', ordering: true, search: true },
  title: { type: 'text', ordering: true, search: true },
  type: { type: 'text' },
  scope: { type: 'text', values: SCOPES },
  ...momentFields('product_actions'),
})
