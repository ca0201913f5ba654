import type { AddressPart } from './fields.js'

interface PlainPage { title: string, text: string }

/** What the form says to the buyer beside the vendor's own texts, in one language. */
export interface FormWords {
  /** of the page: BCP 47 */
  language: string
  title: (product: string) => string
  lead: string
  required: string
  choose: string
  keep_secret: string
  send: string
  problems: string
  error: string
  missing: string
  not_json: string
  parts: Record<AddressPart, string>
  thanks: PlainPage
  gone: PlainPage
  unreadable: PlainPage
  later: PlainPage
}

/** A further language is a further entry, as of the mails (mailer/wording.ts). */
export const english: FormWords = {
  language: 'en',
  title: (product) => `${product}: your details`,
  lead: 'Please fill in what is asked below, then send it.',
  required: '(required)',
  choose: 'Choose…',
  keep_secret: 'You gave this before, and it is not shown. Leave it empty to keep it.',
  send: 'Send',
  problems: 'Please look at these again',
  error: 'Error:',
  missing: 'must be given',
  not_json: 'must be JSON: an object in braces or a list in brackets',
  parts: { address_line1: 'Address line 1', address_line2: 'Address line 2', city: 'City', state: 'State or region', postal_code: 'Postal code', country: 'Country (two letters, such as GB)' },
  thanks: { title: 'Thank you', text: 'Your details were sent. You can close this page.' },
  gone: { title: 'This form is not open', text: 'It was sent already, or its address is not complete. Open the whole address that you were given last, or ask whoever sent it.' },
  unreadable: { title: 'This could not be read', text: 'Nothing was saved. Go back and check what you typed, or open again the address that you were given.' },
  later: { title: 'Please try again later', text: 'We cannot save this at the moment. Go back in some minutes and send it again.' },
}
