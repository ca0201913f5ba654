// RQL, the query language of every list: a resource declares its fields, a route answers `list(…)`.
export { rqlFields } from './fields.js'
export { list } from './list.js'
export { selection, type Selection } from './select.js'
export { listQuerySchema, listSchema } from './schema.js'
