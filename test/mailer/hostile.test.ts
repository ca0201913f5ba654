import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import PostalMime from 'postal-mime'
import t from 'tap'
import { render, type Letter } from '../../src/mailer/render.js'
import { oneLine } from '../../src/mailer/tags.js'
import { fileTransport } from '../../src/mailer/transport.js'

const is_thorough = process.env['THOROUGH'] !== undefined
const RUNS = is_thorough ? 3000 : 300
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

/** What a customer may type: pieces that mean something somewhere, and any text that can be stored. */
const typed = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.array(fc.constantFrom(
    '{KEY}', '{EMAIL}', '{#KEYS}', '{/KEYS}', '\r\n', '\n', '\rBcc: evil@example.com', '\u2028', '\0', '<img src=x onerror=alert(1)>', '</p>', '-->', '"', "'", '>', '&lt;', '`', '=?utf-8?B?QQ==?=',
    'javascript:alert(1)', 'https://evil.example/', 'Bcc: evil@example.com', '😀', '👩‍👩‍👧', 'مرحبا', 'שלום', '\u202e', '\u2066', '\u200f', '$&', '%0d%0a', 'Ünïcode', ' ', 'Content-Type: text/html', '\\', '.\r\n', ' onload=x '
  ), { maxLength: 6 }).map((pieces) => pieces.join('')))

const customer = fc.record({
  email: fc.constant('ana@example.com'),
  first_name: typed,
  last_name: typed,
  company: typed,
  phone: typed,
  country: typed,
  city: typed,
  zip: typed,
  address: typed,
  additional_info: typed,
  licensee: fc.record({ name: typed, company: typed }),
}, { requiredKeys: ['email'] })

const TAGS = ['FULLNAME', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'COUNTRY', 'CITY', 'ZIP', 'ADDRESS', 'ADDINFO_TEXT', 'LICENSE_FOR', 'ORDER_ID']
/** Every tag in every place that a value may have. */
const HTML = TAGS.map((tag) => `<p title="{${tag}}" lang='{${tag}}'>{${tag}}<a href="{${tag}}">1</a><a href="https://x.example/?q={${tag}}">2</a></p>`).join('\n')

const letterOf = (customer: object, order_id: string, html: string | undefined): Letter => ({
  sender: 'Acme',
  product: {
    id: 'PRD-1', name: 'Pro', mail_template: { subject: 'Your {PROGRAM_NAME} {FULLNAME} {ORDER_ID}', text: `{KEY}\n${TAGS.map((tag) => `{${tag}}`).join('\n')}`, ...(html === undefined ? {} : { html }) }, locales: {},
  },
  wrapper: { default: { signature: 'Bye {FULLNAME}, {ADDRESS}' } },
  order: { external_id: order_id, currency: 'EUR', locale: null, customer: customer as Record<string, unknown> },
  quantity: 1,
  unit_amount: 100n,
  total_amount: 100n,
  licenses: [{ key: 'THE-ONLY-KEY', expires_at: null }],
  order_page_url: null,
  now: new Date('2026-01-02T03:04:05Z'),
})

/** The markup of a document without its values: tags with the names of their attributes, and which of them lead elsewhere. */
function skeletonOf (html: string): string {
  return [...html.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/(title|lang|href)=(["'])(.*?)\2/gs, (_, name: string, __, value: string) =>
    `${name}${name === 'href' ? `=${/^(?:$|https?:\/\/|mailto:)/.test(value) ? 'good' : value}` : ''}`)).join('')
}

// Guarantee (C6, F2): whatever the customer typed, the mail has exactly the planned headers and one recipient; no markup, tag or link of his takes effect, no
// line is added to the text, and the key stands where it was meant to and nowhere else.
t.test('what a customer types is only text', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'latchkey-hostile-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const transport = fileTransport(dir, { mail_from: 'Acme <keys@acme.example>', dkim: undefined })
  const harmless = { email: 'ana@example.com', first_name: 'A', last_name: 'B', company: 'C', phone: 'D', country: 'E', city: 'F', zip: 'G', address: 'H', additional_info: 'I', licensee: { name: 'J' } }
  const send = async (letter: Letter) => {
    const { recipient_name: name, subject, text, html } = render(letter)
    await transport.send({ id: 'DE-1', message_id: '<DE-1@acme.example>', to: { name, address: 'ana@example.com' }, subject, text, html }, new AbortController().signal)
    const raw = await readFile(path.join(dir, 'DE-1.eml'))
    return { raw: raw.toString('latin1'), mail: await PostalMime.parse(raw) }
  }
  const headersOf = (mail: Awaited<ReturnType<typeof send>>['mail']): string[] => mail.headers.map((header) => header.key).sort()
  const planned = new Map([[undefined, await send(letterOf(harmless, 'A-1', undefined))], [HTML, await send(letterOf(harmless, 'A-1', HTML))]])
  t.ok(headersOf(planned.get(HTML)!.mail).length >= 8, 'the headers were read')
  await fc.assert(fc.asyncProperty(customer, typed, fc.constantFrom(undefined, HTML), async (customer, order_id, html) => {
    const { raw, mail } = await send(letterOf(customer, order_id, html))
    const model = planned.get(html)!.mail
    const wrong = (what: string, found: unknown): never => { throw new Error(`${what}: ${JSON.stringify(found)}`) }
    if (headersOf(mail).join() !== headersOf(model).join()) wrong('headers', mail.headers)
    if (mail.to?.length !== 1 || mail.to[0]?.address !== 'ana@example.com' || mail.cc !== undefined || mail.bcc !== undefined) wrong('recipients', mail.to)
    if (raw.slice(0, raw.indexOf('\r\n\r\n')).includes('THE-ONLY-KEY')) wrong('a key in the head', mail.headers)
    const first = (part: 'first_name' | 'last_name'): string => oneLine(customer[part] ?? '')
    const name = [first('first_name'), first('last_name')].filter((part) => part !== '').join(' ')
    if (mail.subject !== oneLine(`Your Pro ${name} ${oneLine(order_id)}`).replaceAll('=?', '= ?')) wrong('subject', mail.subject)
    if (mail.to?.[0]?.name !== name.replaceAll('=?', '= ?')) wrong('name', mail.to)
    const lines = (text = ''): number => text.trimEnd().split('\n').length // how the end is read depends on the encoding
    if (lines(mail.text) !== lines(model.text)) wrong('lines', mail.text)
    if (mail.text?.split('THE-ONLY-KEY').length !== 2 || mail.html?.split('THE-ONLY-KEY').length !== 2) wrong('keys', mail.text)
    if (/[\u202a-\u202e\u2066-\u2069]/.test(`${mail.text ?? ''}${mail.html ?? ''}${mail.subject ?? ''}`)) wrong('direction', mail.text)
    if (skeletonOf(mail.html ?? '') !== skeletonOf(model.html ?? '')) wrong('markup', mail.html)
  }), { numRuns: RUNS, seed: SEED })
  t.pass(`${RUNS} letters, seed ${SEED}`)
})
