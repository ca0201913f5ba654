import { sql } from 'kysely'
import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Moment, ref } from '../../plugins/schema.js'
import { ProductItem } from '../items/schema.js'
import { ProductParameter } from '../parameters/schema.js'
import { productMembers } from '../schema.js'
import { Template } from '../templates/schema.js'

const { version: _, ...members } = productMembers

export const ProductVersion = Type.Object({
  ...members,
  version: Type.Integer({ examples: [2] }),
  items: Type.Array(ref(ProductItem)),
  parameters: Type.Array(ref(ProductParameter)),
  templates: Type.Array(ref(Template)),
  events: Type.Object({ created: Type.Object({ at: Moment({ description: 'When it was published' }) }) }),
}, { $id: 'ProductVersion', description: 'A product and what is below it as it was published' })

const ofAction = (name: string) => ({ type: 'text', column: sql`body ->> ${sql.lit(name)}`, ordering: true }) as const

/** Of the actions within a version, which are one value of the database. */
export const versionActionFields = rqlFields({
  id: { ...ofAction('id'), example: 'ACT-123-456-789' },
  action: { ...ofAction('action'), example: 'sso' },
  name: ofAction('name'),
  title: ofAction('title'),
  type: ofAction('type'),
  scope: { ...ofAction('scope'), values: ['asset', 'tier1', 'tier2'] },
})

export const versionFields = rqlFields({
  id: { type: 'integer', column: 'product_versions.version', aliases: ['version'], ordering: true },
  created_at: { type: 'timestamp', column: 'product_versions.created_at', aliases: ['created', 'events.created.at'], ordering: true },
})
