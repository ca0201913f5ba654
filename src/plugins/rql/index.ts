// RQL, the query language of every list: a resource declares its fields, a route answers `list(…)`.
export { rqlFields } from './fields.js'
export { list, listWith } from './list.js'
export { selection, type Part, type Selection } from './select.js'
export { LISTS, listQuerySchema, listSchema, selectQuerySchema } from './schema.js'
