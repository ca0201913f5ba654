/** The words around a vendor's text, by language. */
export interface Wording {
  subject: (product: string) => string
  greeting: (name: string) => string
  order: string
  product: string
  quantity: string
  regards: string
}

/** For a customer whose language is not in the table. */
const DEFAULT_LANGUAGE = 'en'

const hello = (word: string) => (name: string): string => `${word}${name === '' ? '' : ` ${name}`},`

const wordings = new Map<string, Wording>(Object.entries({
  en: { subject: (product) => `Your license: ${product}`, greeting: hello('Hello'), order: 'Order', product: 'Product', quantity: 'Quantity', regards: 'Kind regards' },
  de: { subject: (product) => `Ihre Lizenz: ${product}`, greeting: hello('Guten Tag'), order: 'Bestellung', product: 'Produkt', quantity: 'Menge', regards: 'Mit freundlichen Grüßen' },
  fr: { subject: (product) => `Votre licence : ${product}`, greeting: hello('Bonjour'), order: 'Commande', product: 'Produit', quantity: 'Quantité', regards: 'Cordialement' },
  es: { subject: (product) => `Su licencia: ${product}`, greeting: hello('Hola'), order: 'Pedido', product: 'Producto', quantity: 'Cantidad', regards: 'Saludos cordiales' },
  it: { subject: (product) => `La tua licenza: ${product}`, greeting: hello('Buongiorno'), order: 'Ordine', product: 'Prodotto', quantity: 'Quantità', regards: 'Cordiali saluti' },
  pt: { subject: (product) => `A sua licença: ${product}`, greeting: hello('Olá'), order: 'Pedido', product: 'Produto', quantity: 'Quantidade', regards: 'Atenciosamente' },
}))

/** The words for a language (`pt`), or the default ones. */
export function wordingFor (language: string): Wording {
  return wordings.get(language) ?? wordings.get(DEFAULT_LANGUAGE)!
}
