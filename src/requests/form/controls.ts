import type { Param } from '../../parameters/schema.js'
import { ADDRESS_PARTS, constraintsOf, controlName, type AddressPart, type Fields } from './fields.js'
import { html, paragraphs, type Html } from './html.js'
import type { FormWords } from './words.js'

/** What the controls show: a sentence without its subject as `error`, "" for none. */
export interface Shown { fields: Fields, error: string, isSecret: boolean, words: FormWords }

const KINDS: Partial<Record<Param['type'], Html>> = {
  email: html`type="email" autocomplete="email"`,
  url: html`type="url"`,
  domain: html`type="text" inputmode="url" autocapitalize="none" spellcheck="false"`,
  subdomain: html`type="text" inputmode="url" autocapitalize="none" spellcheck="false"`,
  phone: html`type="tel" autocomplete="tel"`,
}
const TEXT = html`type="text"`
const SECRET = html`type="password" autocomplete="new-password"`
const COMPLETED: Record<AddressPart, string> = {
  address_line1: 'address-line1', address_line2: 'address-line2', city: 'address-level2', state: 'address-level1', postal_code: 'postal-code', country: 'country',
}

/** A parameter in the form: its label, what is said of it, and what it is answered with. */
export function controlOf (param: Param, shown: Shown): Html {
  switch (param.type) {
    case 'heading': return html`<h2 dir="auto">${param.title}</h2>\n${paragraphs(param.description)}`
    case 'content': return html`${paragraphs(param.description === '' ? param.title : param.description)}`
    case 'choice': case 'checkbox': return groupOf(param, shown, optionsOf(param, shown))
    case 'address': return groupOf(param, shown, addressOf(param, shown))
    default: return html`<div class="field">
<label for="${controlName(param)}" dir="auto">${labelOf(param, shown)}</label>
${aboutOf(param, shown)}${singleOf(param, shown)}</div>
`
  }
}

/** Where a link to the parameter leads: its first control. */
export function firstControl (param: Param): string {
  if (param.type === 'address') return controlName(param, ADDRESS_PARTS[0])
  return ['choice', 'checkbox'].includes(param.type) ? `${controlName(param)}:0` : controlName(param)
}

const labelOf = (param: Param, { words }: Shown): Html => html`${param.title}${constraintsOf(param).required && html` <span class="mark">${words.required}</span>`}`

const groupOf = (param: Param, shown: Shown, controls: Html[]): Html => html`<fieldset class="field"${describedBy(param, shown)}${constraintsOf(param).readonly && html` disabled`}>
<legend dir="auto">${labelOf(param, shown)}</legend>
${aboutOf(param, shown)}${controls}</fieldset>
`

const hintOf = ({ description, hint, value }: Param, { isSecret, words }: Shown): string =>
  [description, hint, isSecret && value !== '' ? words.keep_secret : ''].filter((text) => text !== '').join('\n')

const aboutOf = (param: Param, shown: Shown): Html => html`${hintOf(param, shown) !== '' && html`<p class="hint" id="about:${param.id}" dir="auto">${hintOf(param, shown)}</p>\n`
}${shown.error !== '' && html`<p class="error" id="error:${param.id}" dir="auto">${shown.words.error} ${shown.error}</p>\n`}`

function describedBy (param: Param, shown: Shown): Html {
  const ids = [hintOf(param, shown) !== '' && `about:${param.id}`, shown.error !== '' && `error:${param.id}`].filter((id) => id !== false)
  return html`${ids.length > 0 && html` aria-describedby="${ids.join(' ')}"`}`
}

const invalid = ({ error }: Shown): Html => html`${error !== '' && html` aria-invalid="true"`}`

function singleOf (param: Param, shown: Shown): Html {
  const { type, placeholder, value_choices } = param
  const { required, readonly } = constraintsOf(param)
  const [value = ''] = shown.isSecret ? [] : shown.fields.get(controlName(param)) ?? []
  const common = html` id="${controlName(param)}" name="${controlName(param)}"${required && html` required`}${describedBy(param, shown)}${invalid(shown)}`
  const typed = html`${common}${placeholder !== '' && html` placeholder="${placeholder}"`}${readonly && html` readonly`} dir="auto"`
  if (type === 'dropdown') {
    const options = value_choices.map((choice) => html`<option value="${choice.value}"${choice.value === value && html` selected`}>${choice.label}</option>\n`)
    return html`<select class="input"${common}${readonly && html` disabled`} dir="auto">\n<option value="">${shown.words.choose}</option>\n${options}</select>\n`
  }
  // the line break after the tag is not part of the value
  if (type === 'object') return html`<textarea class="input mono" rows="8" spellcheck="false"${typed}>\n${value}</textarea>\n`
  if (value.includes('\n')) return html`<textarea class="input" rows="4"${typed}>\n${value}</textarea>\n`
  return html`<input class="input" ${shown.isSecret ? SECRET : KINDS[type] ?? TEXT} value="${value}"${typed}>\n`
}

function optionsOf (param: Param, shown: Shown): Html[] {
  const name = controlName(param)
  const chosen = shown.fields.get(name) ?? []
  const isRadio = param.type === 'choice'
  const required = isRadio && constraintsOf(param).required
  const unticked = isRadio ? [] : [html`<input type="hidden" name="${name}" value="">\n`] // a group without a tick would not be sent at all
  const options = param.value_choices.map(({ value, label }, i) => html`<div class="option"><input type="${isRadio ? 'radio' : 'checkbox'}" id="${name}:${String(i)}" name="${name}" value="${value}"${
    chosen.includes(value) && html` checked`}${required && html` required`}${invalid(shown)}><label for="${name}:${String(i)}" dir="auto">${label}</label></div>\n`)
  return [...unticked, ...options]
}

function addressOf (param: Param, shown: Shown): Html[] {
  return ADDRESS_PARTS.map((part) => {
    const name = controlName(param, part)
    return html`<div class="part"><label for="${name}">${shown.words.parts[part]}</label><input class="input" type="text" id="${name}" name="${name}" autocomplete="${
      COMPLETED[part]}" value="${shown.fields.get(name)?.[0] ?? ''}"${invalid(shown)} dir="auto"></div>\n`
  })
}
