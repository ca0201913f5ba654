import type { Param } from '../../parameters/schema.js'
import type { Asked } from './answers.js'
import { controlOf, firstControl } from './controls.js'
import type { Fields } from './fields.js'
import { Html, html, paragraphs } from './html.js'
import { STYLE, STYLE_HASH } from './style.js'
import type { FormWords } from './words.js'

/** Of every page: nothing is kept, framed, listed, run or loaded; the address, which holds the code, goes to nobody. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-robots-tag': 'noindex',
  'x-content-type-options': 'nosniff',
  'content-security-policy': `default-src 'none'; style-src ${STYLE_HASH}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
}

interface FormPage {
  asked: Asked & { product: { name: string }, message: string }
  fields: Fields
  /** what is wrong, by the name of the parameter */
  errors: ReadonlyMap<string, string>
}

/** What vendors say is wrong with the values that are there, by the name of the parameter. */
export function knownErrors (params: readonly Param[]): Map<string, string> {
  const errorOf = ({ value_error, structured_error }: Param): string =>
    [value_error, ...Object.values(structured_error ?? {})].filter((text) => typeof text === 'string' && text !== '').join('; ')
  return new Map(params.map((param): [string, string] => [param.id, errorOf(param)]).filter(([, error]) => error !== ''))
}

/** The form. It has no action: it is sent to where it was read from, so the code stands nowhere in it. */
export function formPage ({ asked: { product, message, params, secrets }, fields, errors }: FormPage, words: FormWords): string {
  const title = words.title(product.name)
  const faulty = params.filter(({ id }) => errors.has(id))
  const controls = params.map((param) => controlOf(param, { fields, words, error: errors.get(param.id) ?? '', isSecret: secrets.includes(param.id) }))
  return page(words, faulty.length === 0 ? title : `${words.error} ${title}`, html`<h1 dir="auto">${title}</h1>
${faulty.length > 0 && problemsOf(faulty, errors, words)}${paragraphs(message)}<p>${words.lead}</p>
<form method="post" novalidate>
${controls}<button type="submit">${words.send}</button>
</form>
`)
}

const problemsOf = (faulty: readonly Param[], errors: ReadonlyMap<string, string>, words: FormWords): Html =>
  html`<div class="problems" role="alert" tabindex="-1" autofocus aria-labelledby="problems">
<h2 id="problems">${words.problems}</h2>
<ul>
${faulty.map((param) => html`<li dir="auto"><a href="#${firstControl(param)}"><bdi>${param.title}</bdi>: ${errors.get(param.id)}</a></li>\n`)}</ul>
</div>
`

/** A page that only says something. */
export function plainPage (words: FormWords, what: 'thanks' | 'gone' | 'unreadable' | 'later'): string {
  const { title, text } = words[what]
  return page(words, title, html`<h1>${title}</h1>\n<p>${text}</p>\n`)
}

function page ({ language }: FormWords, title: string, content: Html): string {
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
${content}</main>
</body>
</html>
`.text
}
