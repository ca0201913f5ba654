import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { LICENSE_STATES } from './select-licenses.js'

const LICENSE_ID = 'LI-0199f3c2a7b41f0c9d8e7a6b5c4d'
const POOL_ID = 'PL-0199f3c2a7b41f0c9d8e7a6b5c4d'
const BATCH_ID = 'BA-0199f3c2a7b41f0c9d8e7a6b5c4d'
const ORDER_ID = 'OR-0199f3c2a7b41f0c9d8e7a6b5c4d'

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

const ReportLines = (description: string) => Type.Array(
  Type.Object({ line: Type.Integer({ description: 'From 1' }), reason: Type.String() }), { description: `${description}; the first 1,000. Never the text of the line` })

const reportFields = {
  loaded: Type.Integer({ description: 'Licenses added to the pool', examples: [99] }),
  duplicates: Type.Integer({ description: 'Lines whose license the file or the account has already, in this mode', examples: [1] }),
  rejected_count: Type.Integer({ description: 'Lines that cannot be a license', examples: [1] }),
}
const reportLists = {
  rejected: ReportLines('Lines that cannot be a license'),
  duplicate_lines: ReportLines('Lines that were duplicates'),
}

export const LoadQuery = Type.Object({
  dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Finds out what would happen and changes nothing; answers 200 with `batch_id` null' })),
  strict: Type.Optional(Type.Boolean({ default: false, description: 'All or nothing: one rejected or duplicate line refuses the load (`load-refused`, with the report in `params`)' })),
  expires_at: Type.Optional(Type.String({
    minLength: 10, maxLength: 40, description: 'Until when the licenses are good whose line does not say so itself: a date, which means its end in UTC, or a moment with its offset', examples: ['2099-12-31'],
  })),
  source: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: "The file's or supplier's name, kept with the batch", examples: ['supplier-2026-01.txt'] })),
}, { additionalProperties: false })

export const LoadReport = Type.Object({
  batch_id: Nullable(Type.String({ description: 'The batch; null on a dry run', examples: [BATCH_ID] })), ...reportFields, ...reportLists,
}, {
  $id: 'LoadReport',
  examples: [{
    batch_id: BATCH_ID,
    loaded: 99,
    duplicates: 1,
    rejected_count: 1,
    rejected: [{ line: 7, reason: 'it is not valid UTF-8' }],
    duplicate_lines: [{ line: 12, reason: 'it repeats line 3' }],
  }],
})

const loadedKey = { type: 'string', minLength: 1, maxLength: 4096 }
const loadedLicense = {
  type: 'object',
  required: ['key'],
  additionalProperties: false,
  properties: { key: loadedKey, expires_at: { type: ['string', 'null'], description: 'A date, which means its end in UTC, or a moment with its offset', examples: ['2099-12-31'] } },
}

/** What the three content types of a load look like. For the API reference only: the route reads the bytes itself. */
export const loadBody = {
  content: {
    'text/plain': { schema: { type: 'string', description: 'One license per line, UTF-8, LF or CRLF; any size' }, example: 'ABCD-EFGH-IJKL-0001\nABCD-EFGH-IJKL-0002\n' },
    'text/csv': { schema: { type: 'string', description: 'A header row with a column `license` or `key`, and `expires_at` if they expire; commas between columns' }, example: 'license,expires_at\nABCD-EFGH-IJKL-0001,2099-12-31\n' },
    'application/json': {
      schema: {
        type: 'object',
        required: ['licenses'],
        additionalProperties: false,
        description: 'At most 16 MiB',
        properties: { licenses: { type: 'array', items: { oneOf: [loadedKey, loadedLicense] } } },
      },
      example: { licenses: ['ABCD-EFGH-IJKL-0001', { key: 'ABCD-EFGH-IJKL-0002', expires_at: '2099-12-31' }] },
    },
  },
}

const batchFields = {
  id: Type.String({ examples: [BATCH_ID] }),
  pool_id: Type.String({ examples: [POOL_ID] }),
  source: Nullable(Type.String({ description: 'As the caller named it', examples: ['supplier-2026-01.txt'] })),
  status: OneOf(['staging', 'loaded', 'abandoned'], { description: 'staging: on its way in; abandoned: it broke off, and nothing was loaded', examples: ['loaded'] }),
  sha256: Nullable(Type.String({ description: 'Of the bytes received, hexadecimal; null until loaded' })),
  ...reportFields,
  created_by: Type.String({ description: 'The API key, or `cli`', examples: ['SU-123-456-789'] }),
  created_at: Moment(),
  loaded_at: NullableMoment(),
}
export const BatchSummary = Type.Object(batchFields, { $id: 'BatchSummary', description: 'One load of licenses' })
export const Batch = Type.Object({ ...batchFields, ...reportLists }, { $id: 'Batch', description: 'One load of licenses, with its report' })

const Expiry = NullableMoment({ description: 'Until when it is good, as it was loaded; null: it never expires' })

export const License = Type.Object({
  id: Type.String({ examples: [LICENSE_ID] }),
  pool_id: Type.String({ examples: [POOL_ID] }),
  batch_id: Type.String({ examples: [BATCH_ID] }),
  line: Type.Integer({ description: 'Its line in the file' }),
  mode: OneOf(['live', 'test'], { examples: ['live'] }),
  masked: Type.String({ description: 'The key with its middle hidden; a short one is hidden whole', examples: ['ABCD-…-7F'] }),
  state: OneOf(LICENSE_STATES, { description: 'expired: unsold and too old to be given', examples: ['allocated'] }),
  order_id: Nullable(Type.String({ description: 'Who holds it, or held it when it was revoked', examples: [ORDER_ID] })),
  line_item_id: Nullable(Type.String()),
  unit: Nullable(Type.Integer({ description: 'Which unit of the line, from 1' })),
  allocated_at: NullableMoment(),
  expires_at: Expiry,
  replaces: Nullable(Type.String({ description: 'The bad license in whose place it came' })),
  replaced_by: Nullable(Type.String({ description: 'The license that came in its place' })),
  created_at: Moment(),
}, { $id: 'License', description: 'One license; its key is only shown by a reveal' })

export const RevealedLicense = Type.Object({
  id: Type.String({ examples: [LICENSE_ID] }),
  key: Type.String({ description: 'Byte for byte as it was loaded', examples: ['ABCD-EFGH-IJKL-007F'] }),
  expires_at: Expiry,
}, { $id: 'RevealedLicense' })

export const NewWithdrawal = Strict({ reason: Type.String({ minLength: 1, maxLength: 500, description: 'Kept with the license', examples: ['recalled by the supplier'] }) })

export const licenseFields = rqlFields({
  id: { type: 'text', column: 'l.id', example: LICENSE_ID },
  pool_id: { type: 'text', column: 'l.pool_id', example: POOL_ID },
  batch_id: { type: 'text', column: 'l.batch_id', example: BATCH_ID },
  line: { type: 'integer', column: 'l.line', ordering: true },
  mode: { type: 'text', column: 'l.mode', values: ['live', 'test'] },
  state: { type: 'text', column: 'l.state', values: LICENSE_STATES },
  order_id: { type: 'text', column: 'l.order_id', example: ORDER_ID },
  line_item_id: { type: 'text', column: 'l.line_item_id' },
  allocated_at: { type: 'timestamp', column: 'l.allocated_at' },
  expires_at: { type: 'timestamp', column: 'l.expires_at', ordering: true },
  created_at: { type: 'timestamp', column: 'l.created_at', aliases: ['created'], ordering: true },
})

export const batchFieldsOfLists = rqlFields({
  id: { type: 'text', example: BATCH_ID },
  pool_id: { type: 'text', example: POOL_ID },
  status: { type: 'text', values: ['staging', 'loaded', 'abandoned'] },
  source: { type: 'text', example: 'supplier-2026-01.txt', search: true },
  created_by: { type: 'text', example: 'SU-123-456-789' },
  loaded: { type: 'integer', ordering: true },
  duplicates: { type: 'integer' },
  rejected_count: { type: 'integer' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  loaded_at: { type: 'timestamp' },
})
