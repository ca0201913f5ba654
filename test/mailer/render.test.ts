import t from 'tap'
import { isPlainAddress, plainAddress, readMailbox } from '../../src/mailer/address.js'
import { localized, render, type Letter, type MailedLicense, type MailedProduct } from '../../src/mailer/render.js'
import { keptResponse } from '../../src/mailer/response.js'

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

// Guarantee: the tags that an order has facts for are filled in; others, and all that looks like code, come out as written.
t.test('tags', async (t) => {
  const tags = ['ORDER_ID', 'PRICEGROUP_ID', 'PROGRAM_NAME', 'PROGRAM_SHORT', 'QUANTITY', 'PRICE_ONE_DUPLICATE', 'PRICE_ALL_DUPLICATES', 'FULLNAME', 'FNAME',
    'LNAME', 'EMAIL', 'PHONE', 'COMPANY', 'LICENSE_FOR', 'COUNTRY', 'CITY', 'ZIP', 'ADDRESS', 'DATE']
  const customer = { email: 'ana@example.com', first_name: 'Ana', last_name: 'Souza', phone: '+1', company: 'C & C', country: 'PT', city: 'Porto', zip: '4000', address: 'Rua 1' }
  const filled = render(letter({ product: withText(tags.map((tag) => `${tag}={${tag}}`).join('\n')), order: { ...letter().order, customer } })).text
  for (const [tag, value] of Object.entries({
    ORDER_ID: 'A-1001',
    PRICEGROUP_ID: 'PRD-1',
    PROGRAM_NAME: 'Photo Studio',
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
    LICENSE_FOR: 'Ana Souza, C & C, ana@example.com, +1',
    COUNTRY: 'PT',
    CITY: 'Porto',
    ZIP: '4000',
    ADDRESS: 'Rua 1',
    DATE: '2026-03-04',
  })) t.ok(filled.includes(`\n${tag}=${value}\n`), `${tag}=${value}`)

  // eslint-disable-next-line no-template-curly-in-string
  const code = "{{7*7}} $\u007b7*7} <%= 7*7 %> {{constructor.constructor('x')()}} {__proto__} {constructor} {UNKNOWN_TAG} {key} {7*7} $& $1 $`"
  t.ok(render(letter({ product: withText(code) })).text.includes(code), 'code comes out as written')
  t.ok(render(letter({ product: withText('x', `<p>${code}</p>`) })).html.includes(`<p>${code}</p>`), 'in HTML too')

  const sly = { email: 'a@b.c', first_name: '{KEY}', last_name: '{EMAIL}' }
  t.ok(render(letter({ order: { ...letter().order, customer: sly } })).text.startsWith('Hello {KEY} {EMAIL},'), 'a value is not looked at for tags')
  t.ok(render(letter({ licenses: licensesOf('{EMAIL}$&') })).text.includes('Key: {EMAIL}$&\n'), 'nor is a key')
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
})

// Guarantee: rendering is bounded in time and size, whatever the template (promise C7: 100 ms for 100 kB).
t.test('bounds', async (t) => {
  for (const text of ['{KEY'.repeat(25_000), '{'.repeat(100_000), '{FNAME}'.repeat(14_000), '{A'.repeat(50_000), '<{FNAME}'.repeat(12_500)]) {
    const started = performance.now()
    render(letter({ product: withText(`${text}{KEY}`, `${text}{KEY}`) }))
    t.ok(performance.now() - started < 1000, 'even on a busy machine')
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
