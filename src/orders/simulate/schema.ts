import { Type } from 'typebox'
import { Nullable, OneOf } from '../../plugins/schema.js'
import { previewFields } from '../../words/schema.js'

const OUTCOMES = ['fulfilled', 'partial', 'backordered', 'refused'] as const
export type Outcome = typeof OUTCOMES[number]

const count = (description: string, maximum = 10_000) => Type.Integer({ minimum: 0, maximum, description })

export const Simulation = Type.Object({
  known_as: Nullable(Type.String({ description: 'The order that has this external_id already: placing it again would give nothing', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] })),
  outcome: OneOf(OUTCOMES, { description: 'Of the whole order. refused: it would be answered 409' }),
  line_items: Type.Array(Type.Object({
    external_id: Type.String({ examples: ['1'] }),
    product_id: Type.String({ examples: ['PRD-123-456-789'] }),
    pool_id: Nullable(Type.String({ description: 'null: none serves it, or it needs none', examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] })),
    reason: Type.String({ description: 'Why this pool', examples: ['it serves this one product, in EUR'] }),
    quantity: Type.Integer({ minimum: 1, maximum: 10_000 }),
    quantity_rule: Nullable(OneOf(['unit', 'line'])),
    on_shortage: Nullable(OneOf(['backorder', 'partial', 'fail'])),
    slots: count('How many licenses it would get'),
    kept: count('Of a renewal: how many the customer has already, which go on with it', 2147483647),
    available: count('How many of its slots could be filled at once, behind the lines before it'),
    outcome: OneOf(OUTCOMES),
    supplies: Type.Array(OneOf(['pool', 'web_service', 'emulator', 'information']), { description: 'What would be asked for what is missing, in this order' }),
  })),
  mails: Type.Array(Type.Object({
    product_id: Type.String({ examples: ['PRD-123-456-789'] }),
    is_sent_at_once: Type.Boolean({ description: 'false: when stock comes' }),
    licenses: count('How many keys it would have; at most 100 made-up ones are shown', 2147483647),
    ...previewFields,
  }), { description: 'One per product, in the locale of the order; none of an order that would be refused' }),
}, { $id: 'OrderSimulation', description: 'What would become of an order' })
