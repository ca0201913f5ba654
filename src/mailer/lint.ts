import type { LocalWords, MailTemplate } from './render.js'
import { isLink } from './tags.js'
import { readTemplate, tagsIn, type Fault } from './template.js'

/** What is wrong with a text of a mail. `field`: the path of the text in its resource; line and column from 1, in characters. */
export interface WordsFault { field: string, line: number, column: number, message: string }

/** What is checked of a text. `keys`: they must stand there, may, or must not. */
interface Asked { format: 'text' | 'html', keys: 'needed' | 'allowed' | 'refused' }

const NO_KEY = 'must contain {KEY}, where the license keys go'

function placed (text: string, at: number): { line: number, column: number } {
  const before = text.slice(0, at).split('\n')
  return { line: before.length, column: Array.from(before.at(-1) ?? '').length + 1 }
}

/** What is wrong with one text. */
export function faultsOfText (field: string, text: string, { format, keys }: Asked): WordsFault[] {
  const template = readTemplate(text, format)
  const tags = tagsIn(template)
  const refused = keys !== 'refused' ? [] : faultsOfKeys(text)
  const missing: Fault[] = keys === 'needed' && !tags.some(({ name, place }) => name === 'KEY' && place !== 'nowhere') ? [{ at: 0, message: NO_KEY }] : []
  return [...template.faults, ...refused, ...missing].sort((a, b) => a.at - b.at).map(({ at, message }) => ({ field, ...placed(text, at), message }))
}

/** The keys where none may stand: a subject is read by everybody whom a mail passes, and what is around the words is around those of every product. */
function faultsOfKeys (text: string): Fault[] {
  const written = [...text.matchAll(/\{(?:#KEYS|KEY|PARENT_KEY)\}/g)].slice(0, 1)
  return written.map(({ 0: tag, index }) => ({ at: index, message: `${tag} must not stand here: keys stand in the text and the HTML of a product's words only` }))
}

interface Words { mail_template?: Partial<MailTemplate> | undefined, locales?: Readonly<Record<string, LocalWords>> | undefined }

/** What is wrong with the words of a product. `needs_key`: it hands over keys. */
export function faultsOfWords ({ mail_template, locales = {} }: Words, needs_key: boolean): WordsFault[] {
  const keys = needs_key ? 'needed' : 'allowed'
  const texts = [{ path: 'mail_template', words: mail_template }, ...Object.entries(locales).map(([locale, entry]) => ({ path: `locales.${locale}.mail_template`, words: entry.mail_template }))]
  return texts.flatMap(({ path, words: { subject, text, html } = {} }) => [
    ...(subject === undefined ? [] : faultsOfText(`${path}.subject`, subject, { format: 'text', keys: 'refused' })),
    ...(text === undefined ? [] : faultsOfText(`${path}.text`, text, { format: 'text', keys })),
    ...(html === undefined ? [] : faultsOfText(`${path}.html`, html, { format: 'html', keys })),
  ])
}

/** A fault as a refusal says it; of a text that lacks something there is no place to name. */
export function sentenceOf ({ field, line, column, message }: WordsFault): string {
  return message === NO_KEY ? `${field}: ${message}` : `${field}: line ${line}, column ${column}: ${message}`
}

/** What is wrong with addresses that a product names; they are linked to in mails. */
export function faultsOfUrls (path: string, urls: Readonly<Record<string, string | null | undefined>>): string[] {
  return Object.entries(urls).flatMap(([field, url]) => url == null || url === '' || isLink(url) ? [] : [`${path}${field}: must be a web address that begins with https:// or http://`])
}
