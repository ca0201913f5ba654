const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that is HTML already; only {@link html} makes it of what others wrote. */
export class Html {
  readonly text: string
  constructor (text: string) { this.text = text }
}

type Part = Html | readonly Html[] | string | false | undefined

function textOf (part: Part): string {
  if (part instanceof Html) return part.text
  if (typeof part === 'string') return part.replace(/[&<>"']/g, (character) => ESCAPES[character]!)
  return part === false || part === undefined ? '' : part.map(({ text }) => text).join('')
}

/** HTML of a template. Strings in it become text, never markup, also within quoted attributes; false and undefined leave nothing. */
export function html (literals: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(literals.reduce((text, literal, i) => `${text}${textOf(parts[i - 1])}${literal}`))
}

/** Text of several paragraphs, in the direction that each is written in. Markdown stays as it was typed. */
export function paragraphs (text: string): Html[] {
  return text.split(/\n\s*\n/).map((part) => part.trim()).filter((part) => part !== '').map((part) => html`<p class="text" dir="auto">${part}</p>\n`)
}
