/**
 * Where a tag stands in a vendor's HTML, which decides how its value is written there:
 * text, or within a link; plain (the text of an element that has no markup); an attribute; the whole of a URL, or a part of one; an attribute without
 * quotes; nowhere (a value there could be run, or take part in the markup).
 */
export type Place = 'text' | 'link' | 'plain' | 'attribute' | 'url' | 'url part' | 'unquoted' | 'unquoted url' | 'nowhere'

type State =
  | 'text' | 'after <' | 'tag name' | 'in tag' | 'attribute name' | 'after attribute name' | 'before value' | 'quoted by "' | "quoted by '" | 'unquoted value'
  | 'comment' | 'declaration' | 'raw text'

const LETTER = /[a-z]/i
const SPACE = /[\t\n\f\r ]/
/** Elements whose content is no markup; of these two it may hold entities (HTML, 13.1.2). */
const RAW = new Set(['script', 'style', 'xmp', 'iframe', 'noembed', 'noframes', 'plaintext', 'title', 'textarea'])
const RAW_WITH_ENTITIES = new Set(['title', 'textarea'])
const URLS = new Set(['href', 'src', 'action', 'formaction', 'background', 'cite', 'poster', 'data', 'srcset', 'xlink:href'])
/** What is in them is read as a script, a style sheet or a document: escaping it for HTML does not suffice. */
const isCode = (attribute: string): boolean => attribute.startsWith('on') || attribute === 'style' || attribute === 'srcdoc'
const RUNS = /^[\s\0]*(?:javascript|vbscript|data)[\s\0]*:/i

/**
 * Reads HTML piece by piece, as much of the tokenizer of the standard (HTML, 13.2.5) as tells where one is. What stands between two pieces is a tag: its value
 * is written so that it changes nothing of that.
 */
export class HtmlPlaces {
  #state: State = 'text'
  #element = ''
  #isEnd = false
  #attribute = ''
  /** of the value of an attribute; a tag in it counts as a NUL */
  #value = ''
  #links = 0
  /** the last characters, for what ends in more than one */
  #tail = ''

  read (html: string): void {
    for (const character of html) this.#take(character)
  }

  /** Where a tag is that stands here, and what that place is called. */
  placeTag (): { place: Place, name: string } {
    const at = this.#place()
    if (this.#state === 'before value') this.#state = 'unquoted value'
    this.#value += '\0'
    return at
  }

  #place (): { place: Place, name: string } {
    switch (this.#state) {
      case 'text': return { place: this.#links > 0 ? 'link' : 'text', name: 'text' }
      case 'raw text': return { place: RAW_WITH_ENTITIES.has(this.#element) ? 'plain' : 'nowhere', name: `<${this.#element}>` }
      case 'comment': case 'declaration': return { place: 'nowhere', name: 'a comment' }
      case 'quoted by "': case "quoted by '": return this.#inValue('attribute', this.#value.trim() === '' ? 'url' : 'url part')
      case 'before value': case 'unquoted value': return this.#inValue('unquoted', 'unquoted url')
      default: return { place: 'nowhere', name: 'the inside of an HTML tag' }
    }
  }

  #inValue (plain: Place, url: Place): { place: Place, name: string } {
    const name = `the attribute ${this.#attribute}`
    if (isCode(this.#attribute) || RUNS.test(this.#value.slice(0, 64))) return { place: 'nowhere', name }
    return { place: URLS.has(this.#attribute) ? url : plain, name: plain === 'unquoted' ? `${name}, which has no quotes around its value` : name }
  }

  #take (c: string): void {
    this.#tail = (this.#tail + c).slice(-12) // `</plaintext>` is the longest end
    switch (this.#state) {
      case 'text': if (c === '<') this.#state = 'after <'; return
      case 'after <': return this.#afterLess(c)
      case 'tag name':
        if (c === '>') return this.#endTag()
        if (c === '/' || SPACE.test(c)) this.#state = 'in tag'
        else this.#element += c.toLowerCase()
        return
      case 'in tag':
        if (c === '>') return this.#endTag()
        if (c === '/' || SPACE.test(c)) return
        this.#attribute = c.toLowerCase()
        this.#state = 'attribute name'
        return
      case 'attribute name':
      case 'after attribute name': return this.#afterName(c)
      case 'before value':
        if (SPACE.test(c)) return
        if (c === '>') return this.#endTag()
        this.#value = c === '"' || c === "'" ? '' : c
        this.#state = c === '"' ? 'quoted by "' : c === "'" ? "quoted by '" : 'unquoted value'
        return
      case 'quoted by "': case "quoted by '":
        if (c === this.#state.at(-1)) this.#state = 'in tag'
        else this.#value += c
        return
      case 'unquoted value':
        if (c === '>') return this.#endTag()
        if (SPACE.test(c)) this.#state = 'in tag'
        else this.#value += c
        return
      case 'comment': if (/(?:--!?|<!-)>$/.test(this.#tail)) this.#state = 'text'; return
      case 'declaration':
        if (c === '>') this.#state = 'text'
        else if (this.#tail.endsWith('<!--')) this.#state = 'comment'
        return
      case 'raw text': this.#inRawText(c)
    }
  }

  #inRawText (c: string): void {
    if (c !== '>' && c !== '/' && !SPACE.test(c)) return
    if (!this.#tail.slice(0, -1).toLowerCase().endsWith(`</${this.#element}`)) return
    this.#isEnd = true
    if (c === '>') this.#endTag()
    else this.#state = 'in tag'
  }

  #afterLess (c: string): void {
    if (LETTER.test(c)) {
      this.#isEnd = this.#tail.endsWith(`</${c}`)
      this.#element = c.toLowerCase()
      this.#state = 'tag name'
    } else if (c === '!' || c === '?') this.#state = 'declaration'
    else if (c !== '<' && !this.#tail.endsWith('</')) this.#state = 'text'
  }

  #afterName (c: string): void {
    if (c === '>') this.#endTag()
    else if (c === '=') [this.#state, this.#value] = ['before value', '']
    else if (c === '/') this.#state = 'in tag'
    else if (SPACE.test(c)) this.#state = 'after attribute name'
    else if (this.#state === 'attribute name') this.#attribute += c.toLowerCase()
    else [this.#state, this.#attribute] = ['attribute name', c.toLowerCase()]
  }

  #endTag (): void {
    if (this.#element === 'a') this.#links = this.#isEnd ? 0 : 1
    this.#state = !this.#isEnd && RAW.has(this.#element) ? 'raw text' : 'text'
  }
}
