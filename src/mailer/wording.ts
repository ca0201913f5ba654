/** What stands around the words of a product: lines of text with tags, of which each may be empty and is then left out. */
export interface Wrapper { greeting: string, details: string, signature: string }

/** The service's own words, in one language. */
interface Wording extends Wrapper { language: string, subject: string }

/** For a customer whose language is not in the table. */
const DEFAULT_LANGUAGE = 'en'

const RTL = new Set(['ar', 'arc', 'ckb', 'dv', 'fa', 'he', 'iw', 'ks', 'ps', 'sd', 'ug', 'ur', 'yi'])

const wording = (
  language: string, subject: string, greeting: string, [order, product, quantity]: [string, string, string], regards: string
): [string, Wording] => [
  language,
  {
    language,
    subject: `${subject} {PROGRAM_NAME}`,
    greeting: `${greeting} {FULLNAME},`,
    details: `${order}: {ORDER_ID}\n${product}: {PROGRAM_NAME}\n${quantity}: {QUANTITY}`,
    signature: `${regards}\n{SENDER}`,
  },
]

const wordings = new Map<string, Wording>([
  wording('en', 'Your license:', 'Hello', ['Order', 'Product', 'Quantity'], 'Kind regards'),
  wording('de', 'Ihre Lizenz:', 'Guten Tag', ['Bestellung', 'Produkt', 'Menge'], 'Mit freundlichen Grüßen'),
  wording('fr', 'Votre licence :', 'Bonjour', ['Commande', 'Produit', 'Quantité'], 'Cordialement'),
  wording('es', 'Su licencia:', 'Hola', ['Pedido', 'Producto', 'Cantidad'], 'Saludos cordiales'),
  wording('it', 'La tua licenza:', 'Buongiorno', ['Ordine', 'Prodotto', 'Quantità'], 'Cordiali saluti'),
  wording('pt', 'A sua licença:', 'Olá', ['Pedido', 'Produto', 'Quantidade'], 'Atenciosamente'),
])

/** The words for a locale (`pt_BR`) in its language, or the default ones. */
export function wordingFor (locale: string): Wording {
  return wordings.get(locale.split('_')[0] ?? '') ?? wordings.get(DEFAULT_LANGUAGE)!
}

/** Whether a locale is written from right to left: by its script where it names one, else by its language. */
export function isRightToLeft (locale: string): boolean {
  const [language = '', ...more] = locale.split('_')
  const script = more.find((part) => /^[a-z]{4}$/.test(part))
  return script === undefined ? RTL.has(language) : ['arab', 'hebr', 'syrc', 'thaa', 'nkoo', 'adlm', 'rohg'].includes(script)
}
