import { Type, type Static, type TSchema, type TUnsafe } from 'typebox'
import type { Field, FieldDeclaration, Fields, FieldType } from './fields.js'
import type { Operator } from './query.js'
import type { Part } from './select.js'

const EXAMPLE: Record<FieldType, string> = { text: 'text', integer: '10', bigint: '10', boolean: 'true', timestamp: '2026-01-31T10:15:00Z' }

/** How an operator is written, with the field's name and an example of its values. */
const WRITTEN: Partial<Record<Operator, (name: string, example: string) => string>> = {
  ge: (name, example) => `ge(${name},${example})`,
  like: (name, example) => `like(${name},*${example}*)`,
  out: (name, example) => `out(${name},(${example}))`,
  ne: (name, example) => `ne(${name},${example})`,
}

/** For the API reference: how every list is asked. The grammar's page is docs/rql.md. */
export const LISTS = `## Lists
A list is a bare array with the header \`Content-Range: items <first>-<last>/<total>\`. Its query string is RQL, Connect's query language.
Terms are joined by \`&\`, alternatives by \`|\` in parentheses, and \`and(…)\`, \`or(…)\`, \`not(…)\` nest:

| what | how |
| --- | --- |
| is, is one of, is not | \`status=paid\`, \`status=paid,refunded\`, \`in(status,(paid,refunded))\`, \`ne(status,paid)\`, \`out(status,(paid,refunded))\` |
| order | \`gt\`, \`ge\`, \`lt\`, \`le(created,2026-01-31)\`, \`range(created,2026-01-01,2026-01-31)\` |
| pattern | \`like(name,*pro*)\`, \`ilike\` for upper or lower case; \`*\` is any run of characters, \`\\*\` a star |
| nothing | \`name=null()\`, \`null(name,true)\`; the empty text is \`empty()\`, either is \`empty(name,true)\` |
| anywhere | \`search=ada\` |
| how | \`ordering(-created,name)\`, \`limit=20&offset=40\`, \`select(-asset.items)\` |

Put a value in quotes if it holds one of \`, ( ) & | ;\`. What a list does not know is refused with 400, naming it.`

const openQuery = (properties: object): TSchema => Type.Unsafe<unknown>({ anyOf: [{}, { type: 'object', properties }] })

/**
 * The querystring schema of a list: tells the API reference what can be asked, and accepts everything, since RQL is not key=value
 * and is judged by {@link list}. (`{}` comes first: a validator that has found one alternative to hold looks no further.)
 * `selectable` is what the route gives to {@link selection}.
 */
export function listQuerySchema (fields: Fields, selectable: Record<string, Part> = {}): TSchema {
  const declared = Object.entries<FieldDeclaration>(fields.declared)
  const sortable = declared.filter(([name, { ordering }]) => ordering === true || name === 'id').map(([name]) => name)
  const searched = declared.filter(([, { search }]) => search === true).map(([name]) => name)
  return openQuery({
    limit: { type: 'integer', minimum: 0, maximum: 1000, description: 'How many to answer, 100 if left out; more than 1000 counts as 1000, and 0 answers only the total.', examples: [20] },
    offset: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'How many to pass over.', examples: [40] },
    ordering: { type: 'string', description: `Comma-separated, descending with "-"; also as ordering(…). By: ${sortable.join(', ')}. The id is always the last.`, examples: [`-${sortable.at(-1)}`] },
    ...(searched.length === 0 ? {} : { search: { type: 'string', description: `A text that is found anywhere in ${searched.join(', ')}, in upper or lower case.`, examples: ['text'] } }),
    ...selectProperty(selectable),
    ...Object.fromEntries(declared.map(([name, declaration]) => [name, filterSchema(fields.byName.get(name)!, declaration)])),
  })
}

/** Likewise of a single resource that has parts to {@link selection select}. */
export function selectQuerySchema (selectable: Record<string, Part>): TSchema {
  return openQuery(selectProperty(selectable))
}

function selectProperty (selectable: Record<string, Part>): object {
  const parts = Object.entries(selectable).map(([name, part]) => ({ name, shown: typeof part === 'boolean' ? part : part.shown }))
  if (parts.length === 0) return {}
  const [hidden, shown] = [false, true].map((is) => parts.filter((part) => part.shown === is).map(({ name }) => name).join(', '))
  const sentences = [
    'Comma-separated; also as select(…).',
    ...(shown === '' ? [] : [`Hide with "-": ${shown}.`]),
    ...(hidden === '' ? [] : [`Add: ${hidden}.`]),
  ]
  return { select: { type: 'string', description: sentences.join(' '), examples: [`${parts[0]!.shown ? '-' : ''}${parts[0]!.name}`] } }
}

/** The answer of a list, for the `response` of its route: a bare array, and the header that says how much there is. */
export function listSchema<T extends TSchema> (item: T, description: string): TUnsafe<Array<Static<T>>> {
  const range = { type: 'string', description: '`items <first>-<last>/<total>`, counted from 0', examples: ['items 0-99/1234'] }
  return Type.Unsafe<Array<Static<T>>>({ ...Type.Array(item), description, headers: { 'Content-Range': range } })
}

function filterSchema ({ name, operators }: Field, { type, values, aliases = [], example = values?.[0] ?? EXAMPLE[type] }: FieldDeclaration): object {
  const shown = (Object.keys(WRITTEN) as Operator[]).find((operator) => operators.includes(operator) && !(operator === 'like' && values !== undefined))
  const sentences = [
    operators.includes('in') ? 'One value, or several separated by commas.' : 'One value.',
    ...(values === undefined ? [] : [`Values: ${values.join(', ')}.`]),
    `Operators: ${operators.join(', ')}${shown === undefined ? '' : `; for example ${WRITTEN[shown]!(name, example)}`}.`,
    ...(aliases.length === 0 ? [] : [`Also named ${aliases.join(', ')}.`]),
  ]
  return { type: 'string', description: sentences.join(' '), examples: [example] }
}
