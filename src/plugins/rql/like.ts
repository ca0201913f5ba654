import { Problem } from '../../problems.js'

/**
 * A pattern of RQL as one of LIKE: `*` is any run of characters, `\*` a star, and nothing else has a meaning.
 *
 * @throws Problem query-invalid  two `*` in a row
 */
export function likePattern (field: string, pattern: string): string {
  if (/(?<!\\)\*\*/.test(pattern)) throw new Problem('query-invalid', { detail: `${field}: "**" is not a pattern; "*" is any run of characters, "\\*" a star`, params: { field } })
  return pattern.replace(/\\\*|[*%_\\]/g, (found) => found === '*' ? '%' : found === '\\*' ? '*' : `\\${found}`)
}

/** The pattern of what holds the text anywhere. */
export function containing (text: string): string {
  return `%${text.replace(/[%_\\]/g, '\\$&')}%`
}
