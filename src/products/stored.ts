import type { Static } from 'typebox'
import { Problem } from '../problems.js'
import type { ProductChange } from './schema.js'

const CAPABILITIES_CHARS_MAX = 10_000 // what Connect's products say is a tenth of it

/** What is given of a product, without its words and names, as columns. */
export function storedProduct (given: Static<typeof ProductChange>) {
  const { status, icon, category, short_description, detailed_description, capabilities, mail_on_request, availability, on_renewal, order_page } = given
  const written = capabilities === undefined ? undefined : JSON.stringify(capabilities ?? {})
  if (written !== undefined && written.length > CAPABILITIES_CHARS_MAX) {
    const fault = `capabilities: must have at most ${CAPABILITIES_CHARS_MAX} characters of JSON`
    throw new Problem('validation-failed', { detail: fault, errors: [fault] })
  }
  return {
    ...(status === undefined ? {} : { status }),
    ...(icon === undefined ? {} : { icon: icon ?? '' }),
    ...(category === undefined ? {} : { category: JSON.stringify(known(category)) }),
    ...(short_description === undefined ? {} : { short_description: short_description ?? '' }),
    ...(detailed_description === undefined ? {} : { detailed_description: detailed_description ?? '' }),
    ...(written === undefined ? {} : { capabilities: written }),
    ...(mail_on_request === undefined ? {} : { mail_on_request }),
    ...(availability === undefined ? {} : { availability }),
    ...(on_renewal === undefined ? {} : { on_renewal }),
    ...(order_page === undefined ? {} : { order_page }),
  }
}

function known (category: { id?: string, name?: string } | null): { id?: string, name?: string } {
  const { id, name } = category ?? {}
  return { ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) }
}
