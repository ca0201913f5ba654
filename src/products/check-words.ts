import { Problem } from '../problems.js'

/** What a customer reads; more fields may have been sent and are not looked at. */
export interface MailTemplate { subject: string, text: string, html?: string }
export type Locales = Record<string, { name?: string, mail_template?: Partial<MailTemplate> }>
export interface Words { mail_template?: MailTemplate | undefined, locales?: Locales | undefined }

const KEY = '{KEY}'

function faultsOf (template: Partial<MailTemplate>, path: string): string[] {
  return (['text', 'html'] as const)
    .filter((part) => template[part] !== undefined && !template[part].includes(KEY))
    .map((part) => `${path}.${part}: must contain ${KEY}, where the license keys go`)
}

/** Only what is known, so that nothing else is stored. */
function known ({ subject, text, html }: Partial<MailTemplate>): Partial<MailTemplate> {
  return { ...(subject === undefined ? {} : { subject }), ...(text === undefined ? {} : { text }), ...(html === undefined ? {} : { html }) }
}

/**
 * The words of a product as they are stored: each text has a place for the keys, and unknown fields are gone.
 *
 * @throws Problem validation-failed  a text without {KEY} would send a mail without the license
 */
export function checkWords ({ mail_template, locales }: Words): { mail_template?: string, locales?: string } {
  const local = Object.entries(locales ?? {})
  const errors = [
    ...faultsOf(mail_template ?? {}, 'mail_template'),
    ...local.flatMap(([locale, entry]) => faultsOf(entry.mail_template ?? {}, `locales.${locale}.mail_template`)),
  ]
  if (errors.length > 0) throw new Problem('validation-failed', { detail: errors.join('; '), errors })
  const entries = local.map(([locale, { name, mail_template: words }]) =>
    [locale, { ...(name === undefined ? {} : { name }), ...(words === undefined ? {} : { mail_template: known(words) }) }])
  return {
    ...(mail_template === undefined ? {} : { mail_template: JSON.stringify(known(mail_template)) }),
    ...(locales === undefined ? {} : { locales: JSON.stringify(Object.fromEntries(entries)) }),
  }
}
