import { Type, type Static } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Moment, Nullable, OneOf, ref } from '../../plugins/schema.js'
import { TierAccount, TierRef } from '../accounts/schema.js'
import { Named, ShortProduct } from '../schema.js'

const STATUSES = ['pending', 'accepted', 'ignored', 'unsupported'] as const

export const NewAccountRequest = Lenient({
  type: Type.Optional(OneOf(['update'])),
  account: TierRef,
}, { description: 'The account by its id, else by its external_uid, and what of it changes' })
export type AskedChange = Static<typeof NewAccountRequest>

export const Ignoring = Nullable(Lenient({ reason: Type.Optional(Nullable(Type.String({ maxLength: 2000, examples: ['We keep no addresses'] }))) }))

export const TierAccountRequest = Type.Object({
  id: Type.String({ examples: ['TAR-1234-5678-9012-001'] }),
  type: OneOf(['update']),
  status: OneOf(STATUSES, { description: 'unsupported: the product does not ask for news of accounts' }),
  account: ref(TierAccount),
  vendor: Named,
  provider: Named,
  product: ShortProduct,
  reason: Type.String(),
  events: Type.Object({ created: Type.Object({ at: Moment() }), updated: Type.Object({ at: Moment() }) }),
}, { $id: 'TierAccountRequest', description: 'Tells one vendor, for one product, what a tier account became' })

export const accountRequestFields = rqlFields({
  id: { type: 'text', column: 'r.id', example: 'TAR-1234-5678-9012-001' },
  status: { type: 'text', column: 'r.status', values: STATUSES, ordering: true },
  'product.id': { type: 'text', column: 'r.product_id', example: 'PRD-123-456-789' },
  'product.name': { type: 'text', column: 'd.name', example: 'Pro' },
  'account.id': { type: 'text', column: 'r.tier_account_id', example: 'TA-1234-5678-9012' },
  'account.name': { type: 'text', column: 'a.name', example: 'Analytical Engines Ltd' },
  'account.external_id': { type: 'text', column: 'a.external_id', example: '1001' },
  'account.external_uid': { type: 'text', column: 'a.external_uid' },
  'account.version': { type: 'integer', column: 'r.version', example: '2' },
  'account.hub.id': { type: 'text', column: 'a.hub_id', example: 'HB-1234-5678' },
  'account.hub.name': { type: 'text', column: 'h.name', example: 'Shop' },
  'provider.id': { type: 'text', column: 'r.provider_id', example: 'PA-123-456' },
  'vendor.id': { type: 'text', column: 'r.account_id', example: 'VA-123-456' },
  'events.created.at': { type: 'timestamp', column: 'r.created_at', aliases: ['created', 'created_at'], ordering: true },
  'events.updated.at': { type: 'timestamp', column: 'r.updated_at', aliases: ['updated', 'updated_at'], ordering: true },
})
