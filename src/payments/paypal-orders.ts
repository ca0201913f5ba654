import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { SourceOptions, StoredWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, fault, Id, listOf, localeOf, MaybeText, namesOf, textOf, texts } from './foreign.js'
import type { Meaning } from './meaning.js'
import { minorUnits } from './minor-units.js'

// A capture says neither who paid nor for what. Both are in its `custom_id`, where the vendor's server wrote them when it made the order, or PayPal is asked.

const Money = Type.Object({ currency_code: Currency, value: Type.String() })
export const Capture = Type.Object({
  id: Id,
  amount: Money,
  custom_id: MaybeText,
  supplementary_data: Type.Optional(Type.Object({ related_ids: Type.Optional(Type.Object({ order_id: Type.Optional(Id) })) })),
})

const Order = Type.Object({
  payer: Type.Optional(Type.Object({
    email_address: MaybeText,
    name: Type.Optional(Type.Object(texts('given_name', 'surname'))),
    address: Type.Optional(Type.Object(texts('country_code', 'admin_area_2', 'postal_code', 'address_line_1'))),
  })),
  purchase_units: Type.Array(Type.Object({
    reference_id: MaybeText,
    items: Type.Optional(Type.Array(Type.Object({
      name: MaybeText, sku: MaybeText, quantity: Type.String({ pattern: '^[0-9]{1,5}$' }), unit_amount: Type.Optional(Money),
    }))),
    payments: Type.Optional(Type.Object({ captures: Type.Optional(Type.Array(Type.Object({ id: Id }))) })),
  }), { minItems: 1, maxItems: 10 }),
})
const OrderBody = Compile(Order)
const Written = Type.Object(texts('email', 'first_name', 'last_name', 'company', 'locale', 'products', 'hold', 'parent'))
const WrittenBody = Compile(Written)

/** What the vendor's server wrote into `custom_id`: as JSON, or only the products, each with its quantity. Anything else is a number of the vendor's own. */
function writtenIn (custom_id: string | null | undefined): Static<typeof Written> {
  const text = textOf(custom_id) ?? ''
  if (text.startsWith('{')) return checked(WrittenBody, jsonOf(text), 'resource.custom_id')
  return /^[^:,]+:\d{1,5}(,[^:,]+:\d{1,5})*$/.test(text) ? { products: text } : {}
}

function jsonOf (text: string): unknown {
  try {
    return parseJson(Buffer.from(text))
  } catch {
    throw fault('resource.custom_id', 'begins as JSON does and is none; PayPal may have cut it off')
  }
}

/** A payment that was captured. Who paid for what is in its custom_id, or PayPal has to be asked. */
export function captureMeans (capture: Static<typeof Capture>, { answers, options }: Pick<StoredWebhook, 'answers'> & { options: SourceOptions }): Meaning {
  const { email, products } = writtenIn(capture.custom_id)
  const order_id = capture.supplementary_data?.related_ids?.order_id
  const isWhole = Boolean(email) && Boolean(products)
  if (!isWhole && order_id !== undefined && options.has_api_key === true && answers?.['order'] === undefined) {
    return { kind: 'unanswered', lookups: [{ name: 'order', path: `/v2/checkout/orders/${encodeURIComponent(order_id)}` }] }
  }
  return { kind: 'paid', order: () => orderOf(capture, answers?.['order']) }
}

function orderOf (capture: Static<typeof Capture>, answer: unknown): TranslatedOrder {
  const written = writtenIn(capture.custom_id)
  const order = answer === undefined ? undefined : checked(OrderBody, answer, 'order')
  const external_id = String(capture.supplementary_data?.related_ids?.order_id ?? capture.id)
  const is_partial = order !== undefined && order.purchase_units.length > 1
  const { email_address, name, address } = order?.payer ?? {}
  return {
    external_id,
    currency: capture.amount.currency_code.toUpperCase(),
    locale: localeOf(written.locale),
    ...(is_partial ? { is_partial } : { total_amount: minorUnits('resource.amount.value', capture.amount.value, capture.amount.currency_code.toUpperCase()) }),
    refs: external_id === String(capture.id) ? [] : [String(capture.id)],
    hold_id: textOf(written.hold),
    parent: textOf(written.parent),
    customer: customerOf('resource.custom_id', written.email ?? email_address, {
      first_name: written.first_name ?? name?.given_name,
      last_name: written.last_name ?? name?.surname,
      company: written.company,
      country: address?.country_code,
      city: address?.admin_area_2,
      zip: address?.postal_code,
      address: address?.address_line_1,
    }),
    line_items: listed(written.products) ?? itemsOf(capture, order),
  }
}

function listed (products: string | null | undefined): TranslatedOrder['line_items'] | undefined {
  return listOf('resource.custom_id', products)?.map(({ name, quantity = 1 }, index) => ({ external_id: String(index + 1), product: name, quantity }))
}

/** The items of the purchase unit that the capture paid. An order of several is paid by as many captures. */
function itemsOf ({ id }: Static<typeof Capture>, order: Static<typeof Order> | undefined): TranslatedOrder['line_items'] {
  if (order === undefined) {
    throw fault('resource.custom_id', 'says neither the customer nor the products: write both there, or give the payment source an api_key to ask PayPal with')
  }
  const units = order.purchase_units
  const index = units.length === 1 ? 0 : units.findIndex(({ payments }) => payments?.captures?.some((capture) => capture.id === id))
  const unit = units[index]
  if (unit?.items === undefined || unit.items.length === 0) throw fault('order.purchase_units.items', 'the order at PayPal has no items: write the products into its custom_id')
  const prefix = units.length === 1 ? '' : `${unit.reference_id ?? index + 1}/`
  return unit.items.map(({ sku, name, quantity, unit_amount }, item) => ({
    external_id: `${prefix}${item + 1}`,
    product: namesOf(sku, name),
    quantity: Number(quantity),
    unit_amount: unit_amount === undefined ? undefined : minorUnits('unit_amount.value', unit_amount.value, unit_amount.currency_code.toUpperCase()),
  }))
}
