import { Problem } from '../problems.js'

// ISO 4217 minor units that are not hundredths
const EXPONENTS = new Map([
  ...['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'].map((currency) => [currency, 0] as const),
  ...['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'].map((currency) => [currency, 3] as const),
  ...['CLF', 'UYW'].map((currency) => [currency, 4] as const),
])

/** How many decimal places the currency's minor unit has; two, unless ISO 4217 says otherwise. */
export function exponentOf (currency: string): number {
  return EXPONENTS.get(currency) ?? 2
}

/**
 * A decimal amount such as `49.00` in minor units of the currency: 4900 in EUR, 49 in JPY, 49000 in KWD. Digits past the minor unit are rounded half up,
 * as checkouts write a price with more places than the currency has. By digits: no binary fraction takes part.
 *
 * @throws Problem validation-failed  naming the field
 */
export function minorUnits (field: string, amount: string, currency: string): number {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d{1,15}))?$/.exec(amount) ?? []
  const places = exponentOf(currency)
  const minor = Number(whole + fraction.slice(0, places).padEnd(places, '0')) + ((fraction[places] ?? '0') >= '5' ? 1 : 0)
  if (whole !== '' && Number.isSafeInteger(minor)) return sign === '-' && minor !== 0 ? -minor : minor
  throw new Problem('validation-failed', { detail: `${field}: is not a decimal amount such as 49.00`, errors: [`${field}: is not a decimal amount such as 49.00`] })
}
