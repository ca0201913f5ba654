import { faultsOfUrls, faultsOfWords, sentenceOf } from '../mailer/lint.js'
import type { LocalWords, MailTemplate } from '../mailer/render.js'
import { invalid } from '../problems.js'

interface Urls { url_to_instructions?: string | null | undefined, url_to_download?: string | null | undefined }
/** What mails say of a product, as it is sent: null is none. More fields may have been sent and are not looked at. */
export interface Words extends Urls {
  family_name?: string | null | undefined
  mail_template?: MailTemplate | undefined
  locales?: Record<string, LocalWords> | undefined
}

/** `needs_key`: it hands over licenses, and each text has to say them. `before`: the words that it has, of which what was wrong may stay. */
export interface Checking { needs_key: boolean, before?: { mail_template: unknown, locales: unknown } }

const given = <T extends object>(fields: T): Partial<T> => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>

const noneIfEmpty = (text: string | null | undefined): string | null | undefined => text === '' ? null : text

/** Only what is known, so that nothing else is stored. */
const known = ({ subject, text, html }: Partial<MailTemplate>): Partial<MailTemplate> => given({ subject, text, html })

function toKnown ([locale, { name, family_name, url_to_instructions, url_to_download, mail_template }]: [string, LocalWords]): [string, object] {
  const words = mail_template === undefined ? undefined : known(mail_template)
  return [locale, given({ name, family_name, url_to_instructions, url_to_download, mail_template: words })]
}

/**
 * The words of a product as columns: what is given of them, without fields that are not known.
 *
 * @throws Problem validation-failed  a text without {KEY} would send a mail without the license, one with a tag that there is none of would show it
 */
export function checkWords ({ family_name, url_to_instructions, url_to_download, mail_template, locales }: Words, { needs_key, before }: Checking) {
  const old = new Set(before === undefined ? [] : faultsOfWords(before as Words, needs_key).map(sentenceOf))
  const faults = [
    ...faultsOfUrls('', { url_to_instructions, url_to_download }),
    ...Object.entries(locales ?? {}).flatMap(([locale, entry]) =>
      faultsOfUrls(`locales.${locale}.`, { url_to_instructions: entry.url_to_instructions, url_to_download: entry.url_to_download })),
    ...faultsOfWords({ mail_template, locales }, needs_key).map(sentenceOf).filter((sentence) => !old.has(sentence)),
  ]
  if (faults.length > 0) throw invalid(...faults)
  return given({
    family_name: noneIfEmpty(family_name),
    url_to_instructions: noneIfEmpty(url_to_instructions),
    url_to_download: noneIfEmpty(url_to_download),
    mail_template: mail_template === undefined ? undefined : JSON.stringify(known(mail_template)),
    locales: locales === undefined ? undefined : JSON.stringify(Object.fromEntries(Object.entries(locales).map(toKnown))),
  })
}
