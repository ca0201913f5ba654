import { readFileSync } from 'node:fs'
import t from 'tap'
import { isPlainAddress, plainAddress, readMailbox } from '../../src/mailer/address.js'
import { faultsOfText, faultsOfWords } from '../../src/mailer/lint.js'
import { localized, render, type Letter, type MailedLicense, type MailedProduct } from '../../src/mailer/render.js'
import { keptResponse } from '../../src/mailer/response.js'
import { TAGS } from '../../src/mailer/template.js'

const product = (over: Partial<MailedProduct> = {}): MailedProduct =>
  ({ id: 'PRD-1', name: 'Photo Studio', mail_template: { subject: 'Your {PROGRAM_NAME}', text: 'Key: {KEY}' }, locales: {}, ...over })

const licensesOf = (...keys: string[]): MailedLicense[] => keys.map((key) => ({ key, expires_at: null }))

const letter = (over: Partial<Letter> = {}): Letter => ({
  sender: 'Acme',
  product: product(),
  order: { external_id: 'A-1001', currency: 'EUR', locale: 'en_US', customer: { email: 'ana@example.com', first_name: 'Ana', last_name: 'Souza' } },
  quantity: 2,
  unit_amount: 4900n,
  total_amount: 9800n,
  licenses: licensesOf('KEY-1', 'KEY-2'),
  order_page_url: null,
  now: new Date('2026-03-04T05:06:07Z'),
  ...over,
})

const withText = (text: string, html?: string): MailedProduct =>
  product({ mail_template: { subject: 'S', text, ...(html === undefined ? {} : { html }) } })

// Guarantee: the vendor's text comes between greeting, facts and signature, and every key stands on a line of its own.
t.test('a mail has greeting, keys, order details and signature', async (t) => {
  const { subject, text, html, recipient_name: name } = render(letter())
  t.equal(subject, 'Your Photo Studio')
  t.equal(name, 'Ana Souza')
  t.equal(text, 'Hello Ana Souza,\n\nKey: KEY-1\nKEY-2\n\nOrder: A-1001\nProduct: Photo Studio\nQuantity: 2\n\nKind regards\nAcme\n')
  for (const part of ['Hello Ana Souza,', '>KEY-1</code>', '>KEY-2</code>', 'Order: A-1001', 'Acme']) t.ok(html.includes(part), part)
})

/** What every tag stands for in the letter of `whole`. */
const STANDS_FOR: Record<string, string> = {
  KEY: 'KEY-1',
  PARENT_KEY: 'OLD-1',
  ORDER_ID: 'A-1001',
  PRICEGROUP_ID: 'PRD-1',
  PROGRAM_NAME: 'Photo Studio Pro',
  PROGRAM_SHORT: 'Photo Studio',
  QUANTITY: '2',
  PRICE_ONE_DUPLICATE: '49.00 EUR',
  PRICE_ALL_DUPLICATES: '98.00 EUR',
  FULLNAME: 'Ana Souza',
  FNAME: 'Ana',
  LNAME: 'Souza',
  EMAIL: 'ana@example.com',
  PHONE: '+1',
  COMPANY: 'C & C',
  LICENSE_FOR: 'Bea, D & D, bea@example.com, +2',
  COUNTRY: 'PT',
  CITY: 'Porto',
  ZIP: '4000',
  ADDRESS: 'Rua 1',
  URL: 'https://x.example/start?a=1&b=2',
  URL_FULL: 'https://x.example/get',
  DATE: '2026-03-04',
  ADDINFO_TEXT: 'for <Bea>',
  EXPIRES: '2027-01-31',
  ORDER_PAGE: 'https://keys.example/order#OP_1',
  SENDER: 'Acme',
}

/** A letter with all that there can be, of a product with this text. */
const whole = (text: string, html?: string): Letter => letter({
  product: { ...withText(text, html), name: 'Pro', family_name: 'Photo Studio', url_to_instructions: 'https://x.example/start?a=1&b=2', url_to_download: 'https://x.example/get' },
  order: {
    ...letter().order,
    customer: {
      email: 'ana@example.com',
      first_name: 'Ana',
      last_name: 'Souza',
      phone: '+1',
      company: 'C & C',
      country: 'PT',
      city: 'Porto',
      zip: '4000',
      address: 'Rua 1',
      licensee: { name: 'Bea', company: 'D & D', email: 'bea@example.com', phone: '+2' },
      additional_info: 'for <Bea>',
    },
  },
  licenses: [{ key: 'KEY-1', expires_at: new Date('2027-01-31T23:00:00Z') }],
  parent_keys: ['OLD-1'],
  order_page_url: 'https://keys.example/order#OP_1',
})

// Guarantee: every tag is filled in, in text and in HTML of either kind; others, and all that looks like code, come out as written.
t.test('tags', async (t) => {
  t.same([...Object.keys(STANDS_FOR), 'N'].sort(), [...TAGS].sort(), 'all that there are')
  const documented = /### Tags\n([^]*?)\n### /.exec(readFileSync('docs/mail.md', 'utf8'))?.[1]?.match(/^\|[^|]*\|/gm)?.join('').match(/(?<=\{)[A-Z_]+(?=\})/g)
  t.same([...documented ?? []].sort(), [...TAGS].sort(), 'in docs/mail.md')
  const lines = Object.keys(STANDS_FOR).map((tag) => `${tag}={${tag}}.`)
  const { text, html: made } = render(whole(lines.join('\n')))
  const { html: own } = render(whole('x {KEY}', lines.map((line) => `<p>${line}</p>`).join('')))
  const plain = (html: string): string => html.replace(/<[^>]+>/g, '').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
  for (const [tag, value] of Object.entries(STANDS_FOR)) {
    for (const [part, said] of Object.entries({ text, made: plain(made), own: plain(own) })) t.ok(said.includes(`${tag}=${value}.`), `${tag}=${value} in ${part}`)
  }
  const nobody = render(letter({ product: withText(lines.join('\n')), order: { ...letter().order, customer: {} } })).text
  for (const tag of ['LICENSE_FOR', 'ADDINFO_TEXT', 'URL', 'URL_FULL', 'ORDER_PAGE', 'EXPIRES', 'PARENT_KEY', 'FULLNAME']) t.ok(nobody.includes(`\n${tag}=.\n`), `${tag} may stand for nothing`)
  t.ok(nobody.startsWith('Hello,\n'), 'nor does a greeting need a name')
  t.match(render(letter({ product: withText('{LICENSE_FOR}') })).text, '\nAna Souza, ana@example.com\n', 'the buyer owns it if nobody else is named')

  // eslint-disable-next-line no-template-curly-in-string
  const code = "{{7*7}} $\u007b7*7} <%= 7*7 %> {{constructor.constructor('x')()}} {__proto__} {constructor} {UNKNOWN_TAG} {key} {7*7} $& $1 $` {N} {#EACH} {/KEYS} {#KEYS} a{color:red}"
  t.ok(render(letter({ product: withText(code) })).text.includes(code), 'code comes out as written')
  t.ok(render(letter({ product: withText('x', `<p>${code}</p>`) })).html.includes(`<p>${code}</p>`), 'in HTML too')

  const sly = { email: 'a@b.c', first_name: '{KEY}', last_name: '{EMAIL}' }
  t.ok(render(letter({ order: { ...letter().order, customer: sly } })).text.startsWith('Hello {KEY} {EMAIL},'), 'a value is not looked at for tags')
  t.ok(render(letter({ licenses: licensesOf('{EMAIL}$&{#KEYS}') })).text.includes('Key: {EMAIL}$&{#KEYS}\n'), 'nor is a key')
})

// Guarantee: a block is written once for each license, with its key, number and expiry; alone in its line it leaves no empty one.
t.test('blocks', async (t) => {
  const licenses = [{ key: 'K-1', expires_at: new Date('2027-01-31T00:00:00Z') }, { key: 'K-2', expires_at: null }, { key: 'https://x.example/k3', expires_at: null }]
  const html = '<table>{#KEYS}<tr><td>{N}</td><td>{KEY}</td><td title="{EXPIRES}">{FNAME}</td></tr>{/KEYS}</table>'
  const said = render(letter({ product: withText('Keys:\n{#KEYS}\n{N}. {KEY} {EXPIRES}|{FNAME}\n{/KEYS}\nBye {EXPIRES}', html), licenses }))
  t.match(said.text, '\n\nKeys:\n1. K-1 2027-01-31|Ana\n2. K-2 |Ana\n3. https://x.example/k3 |Ana\nBye 2027-01-31\n\n')
  t.equal(said.html.match(/<tr>/g)?.length, 3)
  t.match(said.html, /<td>2<\/td><td><code[^>]*>K-2<\/code><\/td><td title="">Ana</)
  t.match(said.html, '<td title="2027-01-31">')
  t.notMatch(said.html, /<p><code/, 'no key is missing, so none is put below')
  t.match(render(letter({ product: withText('{#KEYS}a{/KEYS}b'), licenses: [] })).text, /\n\nb\n\n/)
})

// Guarantee: money is shown with the digits that its currency has; an amount that is not known is shown as nothing.
t.test('amounts', async (t) => {
  const shown = (currency: string, amount: bigint | null): string =>
    render(letter({ product: withText('[{PRICE_ONE_DUPLICATE}]'), unit_amount: amount, order: { ...letter().order, currency } })).text
  t.match(shown('JPY', 500n), '[500 JPY]')
  t.match(shown('KWD', 5n), '[0.005 KWD]')
  t.match(shown('EUR', 900719925474099312345n), '[9007199254740993123.45 EUR]')
  t.match(shown('EUR', null), '[]')
})

// Guarantee: HTML shows what was typed, never runs it; a key that is a web address can be clicked, and nothing else is a link.
t.test('HTML', async (t) => {
  const evil = '<img src=x onerror=alert(1)>"\''
  const customer = { email: 'a@b.c', first_name: evil }
  for (const own of [undefined, '<b>{FNAME}</b> {KEY} {ORDER_ID}']) {
    const { html } = render(letter({ sender: evil, licenses: licensesOf(evil), product: withText('{FNAME} {KEY}', own), order: { ...letter().order, external_id: evil, customer } }))
    t.notMatch(html, /<img/, 'nothing typed becomes an element')
    t.ok(html.includes('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;'))
  }
  const links = render(letter({ licenses: licensesOf('https://x.example/d?a=1&b="2"', 'javascript:alert(1)', 'https://', 'see https://x.example') })).html
  t.ok(links.includes('<a href="https://x.example/d?a=1&amp;b=&quot;2&quot;"><code'), 'a link')
  t.equal(links.match(/<a /g)?.length, 1, 'and nothing else is one')
  const inAttribute = render(letter({ licenses: licensesOf('https://x.example/?a&b'), product: withText('x', '<a href="{KEY}">Download</a> or {KEY}') })).html
  t.ok(inAttribute.includes('<a href="https://x.example/?a&amp;b">Download</a> or <a href='), 'inside a tag {KEY} is plain text')
  t.ok(render(letter({ licenses: licensesOf('a  b') })).html.includes('white-space:pre-wrap">a  b</code>'), 'inner spaces are kept')
})

// Guarantee: in HTML a value is written as its place asks for, so that none can leave it: no markup, no other attribute, no script, no other kind of link.
t.test('places', async (t) => {
  const said = (html: string, first_name: string, key = 'K-1'): string =>
    /<div>([^]*)<\/div>/.exec(render(letter({ product: withText('{KEY}', `${html}{KEY}`), licenses: licensesOf(key), order: { ...letter().order, customer: { first_name } } })).html)?.[1] ?? ''
  const evil = '"><img src=x>\' onload=1 &amp; javascript:1'
  const escaped = '&quot;&gt;&lt;img src=x&gt;&#39; onload=1 &amp;amp; javascript:1'
  for (const [html, written] of [
    ['<p>{FNAME}</p>', `<p>${escaped}</p>`],
    ['<p title="{FNAME}">', `<p title="${escaped}">`],
    ["<p title='{FNAME}' >", `<p title='${escaped}' >`],
    ['<title>{FNAME}</title>', `<title>${escaped}</title>`],
    ['5 < 6 {FNAME} > 4', `5 < 6 ${escaped} > 4`],
    ['<a href="{FNAME}">', '<a href="">'],
    ['<a href=" {FNAME}{FNAME}">', `<a href=" ${encodeURIComponent(evil).replaceAll("'", '&#39;')}">`],
    ['<a href="https://x.example/?q={FNAME}">', `<a href="https://x.example/?q=${encodeURIComponent(evil).replaceAll("'", '&#39;')}">`],
    ['<p title={FNAME} id=a>', `<p title=${[...escaped].map((c) => /[\w&;#]/.test(c) ? c : `&#${c.charCodeAt(0)};`).join('')} id=a>`],
    ['<a href={FNAME}>', '<a href=>'],
    ['<a onclick="f(\'{FNAME}\')">', '<a onclick="f(\'\')">'],
    ['<a href="javascript:f(\'{FNAME}\')">', '<a href="javascript:f(\'\')">'],
    ['<p style="color:{FNAME}">', '<p style="color:">'],
    ['<!-- {FNAME} -->', '<!--  -->'],
    ['<style>p{color:red} {FNAME}</style>', '<style>p{color:red} </style>'],
    ['<script>"{FNAME}"</script >', '<script>""</script >'],
    ['<p {FNAME}>', '<p >'],
    ['<{FNAME}>', '<>'],
    ['<br/><b\n>{FNAME}</b>', `<br/><b\n>${escaped}</b>`],
    ['<!doctype html><p>{FNAME}', `<!doctype html><p>${escaped}`],
  ] as const) t.ok(said(html, evil).startsWith(written), `${html} → ${said(html, evil)}`)
  t.ok(said('<a href="{FNAME}">', 'https://x.example/?a&b').startsWith('<a href="https://x.example/?a&amp;b">'))
  t.ok(said('<a href="{FNAME}">', 'mailto:a@b.c').startsWith('<a href="mailto:a@b.c">'))
  t.ok(said('<a href="mailto:{FNAME}">', 'a@b.c?x').startsWith('<a href="mailto:a@b.c%3Fx">'))
  t.match(said('<a href="https://x.example">{KEY}</a>', '', 'https://y.example'), /^<a href="https:\/\/x.example"><code[^>]*>https:\/\/y.example<\/code><\/a><a href="https:\/\/y/, 'no link within a link')
  const lost = render(letter({ product: withText('{KEY}', '<a href="{KEY}">get it</a>') })).html
  t.match(lost, /<a href="">get it<\/a><p><code[^>]*>KEY-1<\/code><br>\n<code[^>]*>KEY-2<\/code><\/p>/, 'keys that are no addresses are put below')
})

// Guarantee: a mail never lacks its keys, and a subject never has one.
t.test('the keys are in the body and only there', async (t) => {
  const { subject, text, html } = render(letter({ product: product({ mail_template: { subject: '{KEY}: {ORDER_ID}', text: 'no tag', html: '<p>no tag</p>' } }) }))
  t.equal(subject, ': A-1001')
  t.match(text, 'no tag\n\nKEY-1\nKEY-2')
  t.match(html, '>KEY-1</code>')
  t.equal(render(letter({ product: product({ mail_template: { subject: '{KEY}', text: '{KEY}' } }) })).subject, 'Your license: Photo Studio')
})

// Guarantee: a customer is written to in the locale's words, else the language's, else the product's own; texts are not mixed.
t.test('locales', async (t) => {
  const many = product({
    mail_template: { subject: 'S', text: 'T {KEY}', html: '<p>T {KEY}</p>' },
    locales: { pt: { name: 'Estúdio', mail_template: { subject: 'S pt', text: 'T pt {KEY}' } }, pt_BR: { mail_template: { subject: 'S br' } }, de: { name: 'Atelier' } },
  })
  const said = (locale: string | null): unknown[] => {
    const { name, mail_template: { subject, text, html } } = localized(many, locale)
    return [name, subject, text, html]
  }
  t.strictSame(said('pt_BR'), ['Estúdio', 'S br', 'T pt {KEY}', undefined])
  t.strictSame(said('pt-br'), said('pt_BR'))
  t.strictSame(said('pt_PT'), ['Estúdio', 'S pt', 'T pt {KEY}', undefined])
  t.strictSame(said('de_DE'), ['Atelier', 'S', 'T {KEY}', '<p>T {KEY}</p>'])
  for (const other of ['xx', '', null, '__proto__', 'constructor']) t.strictSame(said(other), ['Photo Studio', 'S', 'T {KEY}', '<p>T {KEY}</p>'])
  t.match(render(letter({ product: many, order: { ...letter().order, locale: 'pt_BR' } })).text, /^Olá Ana Souza,\n\nT pt KEY-1[^]*Pedido: A-1001\nProduto: Estúdio/)
  for (const locale of ['constructor', '__proto__', 'toString']) t.match(render(letter({ order: { ...letter().order, locale } })).text, /^Hello/)
  t.equal(localized(many, 'pt_BR').locale_used, 'pt_BR')
  t.equal(localized(many, 'pt_PT').locale_used, 'pt')
  t.equal(localized(many, 'xx').locale_used, null)
})

// Guarantee: each part of a product, and each part around it, falls back on its own: from pt_BR to pt, to the vendor's own, to the service's in the
// language, to English.
t.test('every fallback', async (t) => {
  const own = { name: 'n', family_name: 'f', url_to_instructions: 'https://x.example/0', url_to_download: 'https://x.example/d0' }
  const general = { name: 'n-pt', family_name: 'f-pt', url_to_instructions: 'https://x.example/pt', url_to_download: 'https://x.example/dpt' }
  const exact = { name: 'n-br', family_name: 'f-br', url_to_instructions: 'https://x.example/br', url_to_download: 'https://x.example/dbr' }
  for (const field of ['name', 'family_name', 'url_to_instructions', 'url_to_download'] as const) {
    const said = (locales: object, locale: string): unknown => localized({ ...product(), ...own, locales: locales as never }, locale)[field]
    t.equal(said({ pt_BR: { [field]: exact[field] }, pt: general }, 'pt_BR'), exact[field], `${field} of pt_BR`)
    t.equal(said({ pt_BR: { mail_template: {} }, pt: general }, 'pt-BR'), general[field], `${field} of pt`)
    t.equal(said({ pt_BR: {}, pt: {} }, 'pt_BR'), own[field], `${field} of its own`)
    t.equal(said({ pt_BR: exact }, 'pt_PT'), own[field], `${field} of no other country`)
  }
  for (const part of ['subject', 'text', 'html'] as const) {
    const said = (locales: object, locale: string): unknown =>
      localized({ ...product({ mail_template: { subject: 'own', text: 'own', html: 'own' } }), locales: locales as never }, locale).mail_template[part]
    t.equal(said({ pt_BR: { mail_template: { [part]: 'br' } }, pt: { mail_template: { [part]: 'pt' } } }, 'pt_BR'), 'br', `${part} of pt_BR`)
    t.equal(said({ pt_BR: {}, pt: { mail_template: { [part]: 'pt' } } }, 'pt_BR'), 'pt', `${part} of pt`)
    t.equal(said({ pt_BR: {}, pt: {} }, 'pt_BR'), 'own', `${part} of its own`)
  }
  t.equal(localized({ ...product(), locales: { zh_Hant: { name: 'hant' }, zh: { name: 'zh' } } }, 'zh_Hant_TW').name, 'hant', 'of three parts')

  const parts = { greeting: 0, details: 2, signature: 3 } // between them what the product says
  const wordings = { greeting: ['Olá Ana Souza,', 'Hello Ana Souza,'], details: ['Pedido: A-1001', 'Order: A-1001'], signature: ['Atenciosamente', 'Kind regards'] }
  for (const part of ['greeting', 'details', 'signature'] as const) {
    const said = (wrapper: Letter['wrapper'], locale: string): string =>
      render(letter({ wrapper: wrapper ?? {}, order: { ...letter().order, locale } })).text.split('\n\n')[parts[part]]?.split('\n')[0] ?? ''
    const text = (which: string): object => ({ [part]: `${which}\nmore` })
    const all = { default: text('for all'), pt: text('pt'), pt_BR: text('br') }
    t.equal(said(all, 'pt_BR'), 'br', `${part} of pt_BR`)
    t.equal(said({ ...all, pt_BR: {} }, 'pt_BR'), 'pt', `${part} of pt`)
    t.equal(said({ default: text('for all'), pt: {} }, 'pt_BR'), 'for all', `${part} for all`)
    t.equal(said({}, 'pt_BR'), wordings[part][0], `${part} of the service, in Portuguese`)
    t.equal(said({}, 'xx'), wordings[part][1], `${part} of the service, in English`)
  }
  const bare = render(letter({ wrapper: { default: { greeting: '', details: '', signature: '' } }, product: withText('only {KEY}'), licenses: licensesOf('K') }))
  t.equal(bare.text, 'only K\n', 'an empty text leaves its part out')
  t.notMatch(bare.html, /<p>/)
  t.match(render(letter({ wrapper: { default: { signature: '{SENDER}\n{ORDER_PAGE}' } }, order_page_url: 'https://k.example/order#1' })).html, 'Acme<br>\n<a href="https://k.example/order#1">')
})

// Guarantee: the HTML says in which language it is, and that it runs from right to left where it does.
t.test('language and direction', async (t) => {
  const words = { mail_template: { text: '{KEY}' } }
  const opening = (locale: string, locales: object = {}, wrapper: Letter['wrapper'] = {}): string =>
    /<html[^>]*>/.exec(render(letter({ product: product({ locales: locales as never }), order: { ...letter().order, locale }, wrapper: wrapper ?? {} })).html)?.[0] ?? ''
  t.equal(opening('xx'), '<html lang="en">')
  t.equal(opening('pt_BR'), '<html lang="pt">', 'of the words around')
  t.equal(opening('pt_BR', { pt_BR: words }), '<html lang="pt-BR">')
  for (const locale of ['ar', 'ar_EG', 'he', 'fa_IR', 'ur', 'az_Arab']) t.match(opening(locale, { [locale]: words }), ' dir="rtl">', locale)
  for (const locale of ['de', 'uz_Latn', 'ar_Latn']) t.notMatch(opening(locale, { [locale]: words }), / dir=/, locale)
  t.match(opening('ar', {}, { ar: { greeting: 'مرحبا' } }), '<html lang="ar" dir="rtl">')
})

// Guarantee: what is wrong with a text is named with its place, and the nearest tag with what is none.
t.test('faults', async (t) => {
  const faults = (text: string, format: 'text' | 'html' = 'text', keys: 'needed' | 'allowed' | 'refused' = 'allowed'): string[] =>
    faultsOfText('f', text, { format, keys }).map(({ line, column, message }) => `${line}:${column} ${message}`)
  t.same(faults('{KEY} {{7*7}} {key} a{color:red} {} {KEY '), [], 'only {UPPER_CASE} is a tag')
  t.same(faults('é😀 {KEYY}\r\n\n {ORDER_I} {FULL_NAME}'), [
    '1:4 {KEYY} is no tag; did you mean {KEY}?', '3:2 {ORDER_I} is no tag; did you mean {ORDER_ID}?', '3:12 {FULL_NAME} is no tag; did you mean {FULLNAME}?',
  ])
  t.same(faults('{#KEYS}{#KEYS}{/KEYS}{/KEYS}'), ['1:8 {#KEYS} stands within another block, and blocks do not nest', '1:22 {/KEYS} ends a block that was not begun'])
  t.same(faults('a\n{#KEYS}{KEY}'), ['2:1 {#KEYS} begins a block that is not ended: {/KEYS} is missing'])
  t.same(faults('{N}{#EACH}'), ['1:1 {N} stands only between {#KEYS} and {/KEYS}', '1:4 {#EACH} is no block; the only one is {#KEYS}…{/KEYS}'])
  t.match(faults('<p {#KEYS}>{/KEYS}', 'html'), ['1:4 a block must begin in text, not inside an HTML tag, a comment or a style', '1:12 {/KEYS} ends a block that was not begun'])
  t.match(faults('{#KEYS}<p {/KEYS}', 'html')[1], '1:11 a block must end in text')
  t.same(faults('<a href={URL}>{KEY}</a>\n<!-- {FNAME} -->', 'html'), [
    '1:9 {URL} must not stand in the attribute href, which has no quotes around its value', '2:6 {FNAME} must not stand in a comment',
  ])
  t.same(faults('<a onclick="{FNAME}"><script>{FNAME}</script><style>{CITY}</style><p {ZIP}>', 'html').map((fault) => fault.replace(/^.*stand in /, '')),
    ['the attribute onclick', '<script>', '<style>', 'the inside of an HTML tag'])
  t.same(faults('no key', 'text', 'needed'), ['1:1 must contain {KEY}, where the license keys go'])
  t.same(faults('{#KEYS}{KEY}{/KEYS}', 'text', 'needed'), [], 'in a block it is there')
  t.same(faults('<!-- {KEY} -->', 'html', 'needed').length, 2, 'in a comment it is not')
  for (const text of ['{KEY}', '{PARENT_KEY}', '{#KEYS}{/KEYS}']) t.match(faults(text, 'text', 'refused')[0], /^1:1 \{.*must not stand here/)
  t.same(faultsOfWords({ mail_template: { subject: '{KEY}', text: 'x', html: 'y' }, locales: { de: { mail_template: { text: '{X}' } } } }, true).map(({ field }) => field),
    ['mail_template.subject', 'mail_template.text', 'mail_template.html', 'locales.de.mail_template.text', 'locales.de.mail_template.text'])
})

// Guarantee: rendering is bounded in time and size, whatever the template (promise C7: 100 ms for 100 kB).
t.test('bounds', async (t) => {
  const many = { licenses: licensesOf(...Array.from({ length: 10_000 }, (_, i) => `KEY-${i}-${'X'.repeat(20)}`)) }
  for (const text of [
    '{KEY'.repeat(25_000), '{'.repeat(100_000), '{FNAME}'.repeat(14_000), '{A'.repeat(50_000), '<{FNAME}'.repeat(12_500), '<style>' + '>'.repeat(99_000), '<'.repeat(99_000),
    `<a href="${'{KEY}'.repeat(19_000)}">`, `{#KEYS}${'{PHONE}'.repeat(14_000)}{/KEYS}`, `{#KEYS}${'{N}'.repeat(33_000)}{/KEYS}`, `{#KEYS}${'x'.repeat(99_000)}{/KEYS}`,
    '{#KEYS}{/KEYS}'.repeat(7000), '{#KEYS}'.repeat(14_000), '{UNKNOWN_TAG}'.repeat(7600), '<a href="'.repeat(11_000), ' ,'.repeat(50_000),
  ]) {
    for (const of of [{}, many]) {
      const started = process.cpuUsage()
      try {
        render(letter({ ...of, product: withText(`${text}{KEY}`, `${text}{KEY}`) }))
        faultsOfWords(withText(text, text), true)
      } catch (error) {
        t.equal((error as Error).name, 'TextTooLong')
      }
      const { user } = process.cpuUsage(started) // not of the clock, as other tests run too
      t.ok(user < 500_000, `${text.slice(0, 20)}… ${Math.round(user / 1000)} ms`)
    }
  }
  t.throws(() => render(letter({ licenses: licensesOf(...Array.from({ length: 1000 }, () => 'K'.repeat(4096))), product: withText('{KEY}'.repeat(100)) })), { name: 'TextTooLong' })
})

// Guarantee: a line break in a name, a product or an order reference adds neither a header nor a line.
t.test('one line each', async (t) => {
  const order = { ...letter().order, external_id: 'A\r\nBcc: evil@example.com', customer: { email: 'a@b.c', first_name: 'A\r\n\r\nYour key: FAKE', last_name: '\0B\u2028C' } }
  const { subject, text, recipient_name: name } = render(letter({ order, product: product({ name: 'P\nX', mail_template: { subject: '{PROGRAM_NAME}\n{ORDER_ID} {FNAME}', text: '{FULLNAME} {KEY}' } }) }))
  t.equal(subject, 'P X A Bcc: evil@example.com A Your key: FAKE')
  t.equal(name, 'A Your key: FAKE B C')
  t.notMatch(text, /\nYour key: FAKE/)
})

// Guarantee: only text that is exactly one address is one (promises.md, "nodemailer `to`").
t.test('addresses', async (t) => {
  for (const address of ['buyer@example.com', 'first.last+tag@sub.example.co', "o'neil!#$%&*/=?^_`{|}~@x.io", 'root@localhost']) t.ok(isPlainAddress(address), address)
  t.equal(plainAddress('ana@müller.de'), 'ana@xn--mller-kva.de')
  for (const address of [
    'buyer@x.example, evil@y.example', '"x" <evil@y.example>, buyer@x.example', 'g:evil@y.example,buyer@x.example;', 'buyer@x.example<evil@y.example>',
    'buyer@x.example evil@y.example', 'buyer@x.example;evil@y.example', '<buyer@x.example>', 'Buyer <buyer@x.example>', 'buyer@x.example\r\nBcc: evil@y.example',
    'buyer@x.example\nRCPT TO:<evil@y.example>', 'buyer@x.example\0', 'buyer@x@y.example', '"buyer@x.example"@y.example', 'buyer(comment)@x.example',
    'buyer@[127.0.0.1]', 'buyer@127.0.0.1', ' buyer@x.example', 'buyer@x.example ', 'buyer@', '@x.example', '', '.a@x.example', 'a..b@x.example', 'a.@x.example', 'a@x..y',
    'a@-x.example', `${'a'.repeat(65)}@x.example`, `a@${'x.'.repeat(130)}example`, 'büyer@x.example', 'a@x.example>', 'a@x／y.example', 'a@x．example',
  ]) t.notOk(isPlainAddress(address), JSON.stringify(address))
  t.strictSame(readMailbox('"Acme, Inc." <keys@acme.example>'), { name: 'Acme, Inc.', address: 'keys@acme.example' })
  t.strictSame(readMailbox('keys@acme.example'), { name: '', address: 'keys@acme.example' })
  t.throws(() => readMailbox('a@b.c, d@e.f'))
})

// Guarantee: what a mail server answers is kept, unless any part of a key is in it.
t.test('kept answers', async (t) => {
  const keys = ['ABCD-EFGH-1234', 'short']
  t.equal(keptResponse('550 5.1.1 No such user\r\nhere', keys), '550 5.1.1 No such user here')
  t.equal(keptResponse('554 5.7.1 refused: Key: ABCD-EFGH-1234', keys), '554 5.7.1')
  t.equal(keptResponse('554 refused: a b c d e f g h', keys), '554', 'spaced and in other case')
  t.equal(keptResponse('554 refused: ABCD-E\r\n FGH-12', keys), '554', 'a part of it, wrapped')
  t.equal(keptResponse('ABCD-EFGH-1234', keys), 'the answer is not kept')
  t.equal(keptResponse('451 ' + 'x'.repeat(600), keys).length, 500)
  t.notMatch(keptResponse('451 \0 \ud800', keys), /[^\x20-\x7e]/)
})
