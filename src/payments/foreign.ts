import { Type } from 'typebox'
import { Nullable } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import type { Fact, TranslatedOrder } from './checkout.js'

// What bodies of checkouts have in common. They are read leniently: what is not known is ignored, what is not needed may be absent or null.

/** An id: some write numbers, some texts. A number that JSON cannot carry exactly is refused. */
export const Id = Type.Unsafe<number | string>({ type: ['integer', 'string'], minLength: 1, maxLength: 255, minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
export const MaybeId = Type.Optional(Nullable(Id))
export const MaybeText = Type.Optional(Nullable(Type.String()))
/** Texts that may be absent or null, by name. */
export const texts = <const K extends string> (...names: K[]): Record<K, typeof MaybeText> =>
  Object.fromEntries(names.map((name) => [name, MaybeText])) as Record<K, typeof MaybeText>
export const Quantity = Type.Integer({ minimum: 1, maximum: 10_000 })
export const Currency = Type.String({ pattern: '^[A-Za-z]{3}$' })

type Said<T> = T | null | undefined

/** The names that are there, as texts: the most exact first, as they were given. `0` is how some write that there is none. */
export function namesOf (...names: Array<Said<number | string>>): string[] {
  return names.filter((name) => name !== null && name !== undefined && name !== '' && name !== 0).map(String)
}

/** The text, or undefined where there is none worth keeping. */
export function textOf (text: Said<string>, length_max = 255): string | undefined {
  const trimmed = (text ?? '').trim()
  return trimmed === '' ? undefined : [...trimmed].slice(0, length_max).join('')
}

/** A locale as a mail can use it; another spelling is none: it is no reason to keep a paid order back. */
export function localeOf (locale: Said<string>): string | undefined {
  return /^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}$/.test(locale ?? '') ? locale ?? undefined : undefined
}

type CustomerFields = Record<Exclude<keyof TranslatedOrder['customer'], 'email'>, Said<string>>
const LENGTHS_MAX: Partial<Record<keyof CustomerFields, number>> = { phone: 64, country: 64, zip: 32, address: 1000 }

/**
 * Who is mailed. Blank fields are left out, overlong ones cut: only the address matters to the delivery. `field`: where the checkout has the address.
 *
 * @throws Problem validation-failed
 */
export function customerOf (field: string, email: Said<string>, fields: Partial<CustomerFields>): TranslatedOrder['customer'] {
  const address = textOf(email)
  if (address === undefined) throw fault(field, 'is needed: the licenses are mailed to it')
  const texts = Object.entries(fields).map(([name, value]) => [name, textOf(value, LENGTHS_MAX[name as keyof CustomerFields])] as const)
  return { email: address, ...Object.fromEntries(texts.filter(([, text]) => text !== undefined)) }
}

/** What a vendor's shop may attach to an order to tie it to others: `latchkey_hold`, `latchkey_parent`, `latchkey_same_as` (`PS-…/external_id`). */
export function tiesOf (attributes: Readonly<Record<string, unknown>>): Pick<TranslatedOrder, 'hold_id' | 'parent' | 'same_as'> {
  const attribute = (name: string): string | undefined => textOf(typeof attributes[name] === 'string' ? attributes[name] : undefined)
  const [, source_id, external_id] = /^(PS-[^/]+)\/(.+)$/.exec(attribute('latchkey_same_as') ?? '') ?? []
  return {
    hold_id: attribute('latchkey_hold'),
    parent: attribute('latchkey_parent'),
    ...(source_id === undefined || external_id === undefined ? {} : { same_as: { source_id, external_id } }),
  }
}

/** `sku-pro:2, sku-addon` as names with quantities. */
export function listOf (field: string, list: unknown): Array<{ name: string, quantity: number | undefined }> | undefined {
  const text = textOf(typeof list === 'string' ? list : undefined, 500) // as long as a value of Stripe's metadata gets
  return text?.split(',').map((part) => {
    const [name = '', units, ...others] = part.split(':').map((one) => one.trim())
    if (name !== '' && units === undefined) return { name, quantity: undefined }
    const quantity = /^\d{1,5}$/.test(units ?? '') ? Number(units) : 0
    if (name !== '' && others.length === 0 && quantity >= 1 && quantity <= 10_000) return { name, quantity }
    throw fault(field, 'must be names with quantities from 1 to 10000, written as sku-pro:2,sku-addon')
  })
}

/** A refusal that names the field of the checkout's body. */
export function fault (field: string, what: string): Problem {
  return new Problem('validation-failed', { detail: `${field}: ${what}`, errors: [`${field}: ${what}`] })
}

/**
 * The facts of an event whose type is known before its body is read: where the body says too little for any, one that throws the reason, so that
 * the event is kept under its type.
 */
export function factsOf (said: Pick<Fact, 'type' | 'occurred_at' | 'mode'>, read: () => Fact | Fact[]): Fact | Fact[] {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { ...said, kind: 'paid', order: () => { throw error } }
  }
}

/** The body as an object, for what has to be known of it before it is checked; anything else is an empty one. */
export function peek (body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
  } catch {
    return {}
  }
}
