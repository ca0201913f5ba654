import { isPlainAddress } from '../../mailer/address.js'
import { invalid } from '../../problems.js'
import type { ContactInfo, GivenContactInfo, AccountChange } from './schema.js'

/** What an account says of itself, as it is stored: every text there, empty where none was given. */
export interface AccountData { name: string, external_id: string, external_uid: string, tax_id: string, contact_info: ContactInfo }

const COUNTRY = /^[A-Za-z]{2}$/
const filled = (text: string | null | undefined): string => text?.trim() ?? ''

function contactInfoOf (given: GivenContactInfo): ContactInfo {
  const { contact } = given
  const phone = contact?.phone_number
  return {
    address_line1: filled(given.address_line1),
    address_line2: filled(given.address_line2),
    city: filled(given.city),
    state: filled(given.state),
    postal_code: filled(given.postal_code),
    country: filled(given.country).toUpperCase(),
    contact: {
      first_name: filled(contact?.first_name),
      last_name: filled(contact?.last_name),
      email: filled(contact?.email),
      phone_number: {
        country_code: filled(phone?.country_code),
        area_code: filled(phone?.area_code),
        phone_number: filled(phone?.phone_number),
        extension: filled(phone?.extension),
      },
    },
  }
}

function faultsOf ({ name, contact_info }: Pick<AccountData, 'name' | 'contact_info'>, at: (field: string) => string): string[] {
  const { address_line1, city, postal_code, country, contact } = contact_info
  const needed = {
    name,
    'contact_info.address_line1': address_line1,
    'contact_info.city': city,
    'contact_info.postal_code': postal_code,
    'contact_info.country': country,
    'contact_info.contact.first_name': contact.first_name,
    'contact_info.contact.last_name': contact.last_name,
    'contact_info.contact.email': contact.email,
  }
  return [
    ...Object.entries(needed).filter(([, value]) => value === '').map(([field]) => `${at(field)}: is required`),
    ...(country !== '' && !COUNTRY.test(country) ? [`${at('contact_info.country')}: must be the two letters of ISO 3166-1`] : []),
    ...(contact.email !== '' && !isPlainAddress(contact.email) ? [`${at('contact_info.contact.email')}: must be one plain address`] : []),
  ]
}

/**
 * The data of an account: what is given, over what it was (nothing for a new one). `path`: where the client gave it, for the refusal.
 *
 * @throws Problem validation-failed  naming every field that is missing or wrong
 */
export function checkAccount (given: AccountChange, path: string, before?: AccountData): AccountData {
  const contact_info = given.contact_info == null ? before?.contact_info ?? contactInfoOf({}) : contactInfoOf(given.contact_info)
  const data = {
    name: given.name == null ? before?.name ?? '' : filled(given.name),
    external_id: given.external_id == null ? before?.external_id ?? '' : filled(given.external_id),
    external_uid: filled(given.external_uid) === '' ? before?.external_uid ?? '' : filled(given.external_uid),
    tax_id: given.tax_id == null ? before?.tax_id ?? '' : filled(given.tax_id),
    contact_info,
  }
  const faults = faultsOf(data, (field) => path === '' ? field : `${path}.${field}`)
  if (faults.length > 0) throw invalid(...faults)
  return data
}
