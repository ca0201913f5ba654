import { parseQuery } from './parse.js'

/** By name: whether it is shown where the caller does not say, and other names for it. */
export type Part = boolean | { shown: boolean, aliases?: readonly string[] }

/** Which of the parts that can be hidden or added an answer has. */
export interface Selection<Name extends string> { shows: (name: Name) => boolean }

/**
 * What `select(name,-name)` asks for, of a list or of one resource: `-` hides a part, `+` or no sign adds one, and the last word
 * on a part counts. Nothing else is hidden by it, and names that are not declared are ignored.
 *
 * @throws Problem query-invalid  the query cannot be read
 */
export function selection<Name extends string> (request: { raw: { url?: string | undefined } }, declared: Record<Name, Part>): Selection<Name> {
  const { select = [] } = parseQuery(request.raw.url ?? '')
  return {
    shows (name) {
      const part = declared[name]
      const { shown, aliases = [] } = typeof part === 'boolean' ? { shown: part } : part
      const said = select.findLast((each) => each.name === name || aliases.includes(each.name))
      return said?.shown ?? shown
    },
  }
}
