/** What the tags of a vendor's text stand for. A tag without a value stands for nothing; one that is not here stays as written. */
export type Tags = ReadonlyMap<string, string>

/** What a text is filled in with. */
interface Values { tags: Tags, keys: readonly string[], parent_keys?: readonly string[] | undefined }

/** The keys that a tag stands for, or undefined: it is no tag of keys. */
function keysOf (name: string, { keys, parent_keys = [] }: Omit<Values, 'tags'>): readonly string[] | undefined {
  return name === 'KEY' ? keys : name === 'PARENT_KEY' ? parent_keys : undefined
}

// Mail servers refuse mails of more than 10 to 50 MB, and {KEY} may be written often and stand for thousands of keys.
const LENGTH_MAX = 10_000_000
const TAG = /\{([A-Z_]{1,32})\}/g

/** The text would be too long to be mailed. */
export class TextTooLong extends Error {
  override readonly name = 'TextTooLong'
}

/** Replaces {…} in one pass: what a tag stands for is not looked at for tags again, and nothing in a text is ever run. */
function replaceTags (
  template: string, valueOf: (name: string, before: string) => string | undefined, literal = (text: string): string => text
): string {
  const parts: string[] = []
  let length = 0
  const add = (part: string): void => {
    length += part.length
    if (length > LENGTH_MAX) throw new TextTooLong()
    parts.push(part)
  }
  let end = 0
  for (const match of template.matchAll(TAG)) {
    const before = template.slice(end, match.index)
    add(literal(before))
    add(valueOf(match[1] as string, before) ?? literal(match[0]))
    end = match.index + match[0].length
  }
  add(literal(template.slice(end)))
  return parts.join('')
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml (text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/** One line: a value that a customer typed can neither add a line to a text nor a header to a mail. */
export function oneLine (text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
}

/** A subject: no key stands there. */
export function fillSubject (template: string, tags: Tags): string {
  return oneLine(replaceTags(template, (name) => keysOf(name, { keys: [] }) === undefined ? tags.get(name) : '')).slice(0, 255)
}

/** Plain text: one key per line. */
export function fillText (template: string, { tags, ...keys }: Values): string {
  return replaceTags(template, (name) => keysOf(name, keys)?.join('\n') ?? tags.get(name))
}

function isLink (key: string): boolean {
  return /^https?:\/\/[^\s]+$/i.test(key) && URL.canParse(key)
}

/** The keys as elements, one per line; a key that is a web address can be clicked. */
export function keysAsHtml (keys: readonly string[]): string {
  return keys.map((key) => {
    const shown = `<code style="font-family:monospace;white-space:pre-wrap">${escapeHtml(key)}</code>`
    return isLink(key) ? `<a href="${escapeHtml(key)}">${shown}</a>` : shown
  }).join('<br>\n')
}

/** A vendor's own HTML: the values are escaped, the rest is taken as it is. */
export function fillHtml (template: string, { tags, ...keys }: Values): string {
  let insideTag = false // as in <a href="{KEY}">
  return replaceTags(template, (name, before) => {
    const [opened, closed] = [before.lastIndexOf('<'), before.lastIndexOf('>')]
    if (opened !== closed) insideTag = opened > closed
    const shown = keysOf(name, keys)
    if (shown !== undefined) return insideTag ? escapeHtml(shown.join('\n')) : keysAsHtml(shown)
    const value = tags.get(name)
    return value === undefined ? undefined : escapeHtml(value)
  })
}

/** A vendor's plain text as HTML: the same words, lines kept. */
export function textToHtml (template: string, { tags, ...keys }: Values): string {
  const escaped = (text: string): string => escapeHtml(text).replace(/\r?\n/g, '<br>\n')
  return replaceTags(template, (name) => {
    const shown = keysOf(name, keys)
    if (shown !== undefined) return keysAsHtml(shown)
    const value = tags.get(name)
    return value === undefined ? undefined : escaped(value)
  }, escaped)
}
