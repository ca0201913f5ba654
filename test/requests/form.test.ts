// The inquiry form as the page that a buyer opens in a browser.
import { createHash } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { makeMarket, purchaseOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'
const HOSTILE = '<script>alert("1")</script>&amp;\' \u202Etxt'
const ESCAPED = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39; \u202Etxt'
const CHOICES = [{ value: 'eu', label: `Europe ${HOSTILE}` }, { value: 'us', label: 'America' }]

/** One parameter of every type beside admin_email, which is required. */
const ASKED: Array<{ name: string, type: string } & Record<string, unknown>> = [
  { name: 'part_one', title: `Part ${HOSTILE}`, type: 'heading', description: 'First\n\nSecond' },
  { name: 'terms', type: 'content', description: `Read this: ${HOSTILE}` },
  { name: 'company', title: `Company ${HOSTILE}`, hint: `As registered ${HOSTILE}`, placeholder: `Acme ${HOSTILE}`, type: 'text', constraints: { max_length: 60 } },
  { name: 'site', type: 'url' },
  { name: 'domain', type: 'domain', constraints: { required: true } },
  { name: 'shop', type: 'subdomain', constraints: { unique: true } },
  { name: 'phone', type: 'phone' },
  { name: 'region', type: 'dropdown', constraints: { choices: CHOICES } },
  { name: 'plan', type: 'choice', constraints: { required: true, choices: [{ value: 'basic' }, { value: 'full' }] } },
  { name: 'extras', type: 'checkbox', constraints: { choices: [{ value: 'mail' }, { value: 'backup' }] } },
  { name: 'office', title: 'Office', type: 'address' },
  { name: 'settings', type: 'object' },
  { name: 'pin', type: 'password', title: 'PIN' },
  { name: 'token', type: 'text', secret: true },
  { name: 'batch', type: 'text', constraints: { readonly: true } },
  { name: 'inner', title: 'NOT-SHOWN', type: 'text', constraints: { hidden: true } },
]

type Sent = Record<string, string | string[]>
interface Asked {
  service: TestApp
  market: Market
  id: string
  url: string
  open: (accept?: string) => Promise<LightMyRequestResponse>
  send: (fields: Sent, accept?: string) => Promise<LightMyRequestResponse>
}

function encoded (fields: Sent): string {
  const pairs = Object.entries(fields).flatMap(([name, values]) => [values].flat().map((value): [string, string] => [name, value]))
  return new URLSearchParams(pairs).toString()
}

/** A purchase whose buyer is asked; `params`: what was given with it. */
async function asked (t: Parameters<typeof testApp>[0], parameters: object[], params: object[] = []): Promise<Asked> {
  const service = await testApp(t)
  const market = await makeMarket(service)
  for (const parameter of parameters) await market.byVendor('POST', `/v1/products/${market.product_id}/parameters`, { phase: 'ordering', scope: 'asset', ...parameter })
  const body = `# Hello {{ company }}\n\nPIN {{ pin }}, token {{ token }}, key {{ license_key }}.\n\n${HOSTILE}`
  const [template] = await market.byVendor('GET', `/v1/products/${market.product_id}/templates?type=inquire`) as unknown as Json[]
  await market.byVendor('PUT', `/v1/products/${market.product_id}/templates/${template?.['id'] as string}`, { body })
  const { id, params_form_url } = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params } }))
  const { pathname, search } = new URL(params_form_url)
  const url = pathname + search
  const { app } = service
  return {
    service,
    market,
    id,
    url,
    open: (accept = BROWSER) => app.inject({ method: 'GET', url, headers: { accept } }),
    send: (fields, accept = BROWSER) => app.inject({ method: 'POST', url, headers: { accept, 'content-type': 'application/x-www-form-urlencoded' }, payload: encoded(fields) }),
  }
}

/** The tag of the control with this id. */
const tagOf = (page: string, id: string): string => new RegExp(`<[^<>]*id="${id}"[^<>]*>`).exec(page)?.[0] ?? ''
const paramsOf = async ({ market, id }: Asked): Promise<Record<string, Json>> =>
  Object.fromEntries((await market.byVendor('GET', `/v1/requests/${id}`))['asset'].params.map((param: Json) => [param['id'], param]))

// Guarantee: the page asks for every ordering parameter in its type, named, explained and marked for all who read it; what others wrote is
// text in it and never markup; secrets, what the vendor gives and what is hidden are not in it, nor is the code.
t.test('what the page shows', async (t) => {
  const one = await asked(t, ASKED, [
    { id: 'company', value: HOSTILE }, { id: 'pin', value: 'PIN-4711' }, { id: 'token', value: 'TOKEN-4711' }, { id: 'plan', value: 'full' },
    { id: 'extras', structured_value: { backup: true } }, { id: 'phone', structured_value: { country_code: '+44', area_code: '20', phone_number: '79460000' } },
    { id: 'office', structured_value: { address_line1: '1 "High" St', city: 'London', country: 'GB' } }, { id: 'settings', structured_value: { a: ['<b>'] } },
  ])
  await one.market.byVendor('PUT', `/v1/requests/${one.id}`, { asset: { params: [{ id: 'license_key', value: 'KEY-4711' }, { id: 'batch', value: 'B-7' }, { id: 'company', value_error: `Unknown ${HOSTILE}` }, { id: 'office', value_error: 'Too far' }] } })
  const answer = await one.open()
  t.equal(answer.statusCode, 200)
  const page = answer.body
  t.notMatch(page, /<script|alert\("/, 'nothing of values is markup')
  t.notMatch(page, /4711|NOT-SHOWN|license_key/, 'no secret, nothing of the vendor, nothing hidden')
  t.notOk(page.includes(new URL(one.url, 'http://x').searchParams.get('code')!), 'the code is not in the page')
  for (const text of [
    '<html lang="en">', '<meta name="viewport" content="width=device-width', '<title>Error: Front Street Pro: your details</title>', '<h1 dir="auto">Front Street Pro: your details</h1>',
    `<p class="text" dir="auto"># Hello ${ESCAPED}</p>`, '<p class="text" dir="auto">PIN , token , key .</p>',
    `<h2 dir="auto">Part ${ESCAPED}</h2>`, '<p class="text" dir="auto">Second</p>', `Read this: ${ESCAPED}`,
    `<label for="value:company" dir="auto">Company ${ESCAPED}</label>`, `<p class="hint" id="about:company" dir="auto">As registered ${ESCAPED}</p>`,
    `<p class="error" id="error:company" dir="auto">Error: Unknown ${ESCAPED}</p>`, `<a href="#value:company"><bdi>Company ${ESCAPED}</bdi>: Unknown ${ESCAPED}</a>`,
    '<a href="#address_line1:office"><bdi>Office</bdi>: Too far</a>', '<fieldset class="field" aria-describedby="error:office">', 'Admin e-mail <span class="mark">(required)</span>',
    '<form method="post" novalidate>', `<option value="eu">Europe ${ESCAPED}</option>`, '>\n{\n  &quot;a&quot;: [\n    &quot;&lt;b&gt;&quot;\n  ]\n}</textarea>',
  ]) t.ok(page.includes(text), text)
  const tags: Record<string, RegExp[]> = {
    'value:admin_email': [/type="email"/, / required/, /value=""/],
    'value:company': [/type="text"/, /aria-describedby="about:company error:company"/, /aria-invalid="true"/, / placeholder="Acme &lt;script/, / value="&lt;script/],
    'value:site': [/type="url"/],
    'value:domain': [/inputmode="url"/, / required/],
    'value:phone': [/type="tel"/, /value="\+44 20 79460000"/],
    'value:region': [/^<select/],
    'value:plan:0': [/type="radio"/, /value="basic"/, / required/],
    'value:plan:1': [/ checked/],
    'value:extras:0': [/type="checkbox"[^]*name="value:extras" value="mail">/],
    'value:extras:1': [/ checked/],
    'address_line1:office': [/autocomplete="address-line1"/, /value="1 &quot;High&quot; St"/],
    'country:office': [/value="GB"/],
    'value:settings': [/^<textarea/],
    'value:pin': [/type="password"/, /value=""/, /aria-describedby="about:pin"/],
    'value:token': [/type="password"/, /value=""/],
    'value:batch': [/ readonly/, /value="B-7"/],
  }
  for (const [id, expected] of Object.entries(tags)) for (const pattern of expected) t.match(tagOf(page, id), pattern, id)
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
  t.equal(new Set(ids).size, ids.length, 'no id is there twice')
  for (const [, list = ''] of page.matchAll(/ (?:for|aria-describedby|aria-labelledby)="([^"]+)"/g)) t.strictSame(list.split(' ').filter((id) => !ids.includes(id)), [], `${list} is there`)
})

const RIGHT: Sent = {
  'value:admin_email': ' ada@example.com ',
  'value:company': 'Größe & Söhne "GmbH" שלום',
  'value:site': 'https://example.com/a?b=c&d',
  'value:domain': 'example.com',
  'value:shop': 'shop',
  'value:phone': '+44 20 79460000',
  'value:region': 'us',
  'value:plan': 'basic',
  'value:extras': ['mail', 'backup'],
  'address_line1:office': '12 St James Square',
  'city:office': 'London',
  'country:office': 'GB',
  'value:settings': '{\r\n "a": [1, "x"] }',
  'value:pin': ' 12 34 ',
  'value:token': '',
  'value:batch': 'MINE',
  'value:inner': 'MINE',
  'value:license_key': 'MINE',
  'value:unknown': 'x',
}

// Guarantee: what a buyer sends is written in the type of each parameter, the request goes on, and the code is used up; what is not the buyer's stays.
t.test('a form that is right', async (t) => {
  const one = await asked(t, ASKED, [{ id: 'token', value: 'TOKEN-4711' }])
  const { statusCode, body, headers } = await one.send(RIGHT)
  t.equal(statusCode, 200)
  t.match(headers['content-type'], 'text/html')
  t.match(body, /<h1>Thank you<\/h1>/)
  t.match(await one.market.byVendor('GET', `/v1/requests/${one.id}`), { status: 'pending', answered: true })
  t.match(await paramsOf(one), {
    admin_email: { value: 'ada@example.com' },
    company: { value: 'Größe & Söhne "GmbH" שלום' },
    site: { value: 'https://example.com/a?b=c&d' },
    domain: { value: 'example.com' },
    shop: { value: 'shop' },
    phone: { value: '+44 20 79460000' },
    region: { value: 'us' },
    plan: { value: 'basic' },
    extras: { structured_value: { mail: true, backup: true } },
    office: { structured_value: { address_line1: '12 St James Square', city: 'London', country: 'GB' } },
    settings: { structured_value: { a: [1, 'x'] } },
    pin: { value: ' 12 34 ' },
    token: { value: 'TOKEN-4711' },
    batch: { value: '' },
    inner: { value: '' },
    license_key: { value: '' },
  })
  for (const again of [await one.open(), await one.send(RIGHT)]) {
    t.equal(again.statusCode, 404, 'the code is used up')
    t.match(again.body, /<h1>This form is not open<\/h1>/)
  }
  await assertInvariants(t, one.service.db)
})

// Guarantee: what is sent as it was shown is not written again, so parts that the form joins are not lost; what is emptied is cleared, but a secret;
// what is not sent stays.
t.test('what was there', async (t) => {
  const phone = { country_code: '+44', area_code: '20', phone_number: '79460000' }
  const one = await asked(t, ASKED, [
    { id: 'phone', structured_value: phone }, { id: 'company', value: 'Acme' }, { id: 'site', value: 'https://example.com/' }, { id: 'pin', value: 'PIN-4711' },
    { id: 'extras', structured_value: { mail: true } }, { id: 'settings', structured_value: { a: 1 } },
  ])
  const { statusCode } = await one.send({
    'value:company': '',
    'value:extras': '',
    'value:admin_email': 'ada@example.com',
    'value:domain': 'example.com',
    'value:plan': 'basic',
    'value:phone': '+44 20 79460000',
    'value:settings': '{"a":1}',
    'value:pin': '',
  })
  t.equal(statusCode, 200)
  const params = await paramsOf(one)
  t.strictSame(params['phone']?.['structured_value'], phone)
  t.match(params, { company: { value: '' }, site: { value: 'https://example.com/' }, pin: { value: 'PIN-4711' }, extras: { structured_value: { mail: false } }, settings: { structured_value: { a: 1 } } })
  const events = await one.market.byVendor('GET', `/v1/events?type=request.parameters_written&subject_id=${one.id}&ordering(-created_at)&limit=1`) as unknown as Json[]
  t.strictSame(events[0]?.['data'].parameters.sort(), ['admin_email', 'company', 'domain', 'extras', 'plan'])
})

// Guarantee: a form with faults changes nothing; the page shows each fault where it is and in a summary, with all that was typed but secrets.
t.test('a form that is wrong', async (t) => {
  const one = await asked(t, ASKED)
  const before = await paramsOf(one)
  const wrong: Sent = {
    'value:admin_email': 'none',
    'value:company': `<b>${'x'.repeat(60)}`,
    'value:site': 'x y',
    'value:domain': ' ',
    'value:shop': 'a b',
    'value:phone': 'call "me"',
    'value:region': 'mars',
    'value:extras': 'backup',
    'address_line1:office': '<1>',
    'city:office': 'London',
    'country:office': 'England',
    'value:settings': '{"a": <',
    'value:pin': 'PIN-4711',
  }
  const answer = await one.send(wrong)
  t.equal(answer.statusCode, 400)
  const faults: Record<string, RegExp> = {
    admin_email: /must be one mail address/,
    company: /must not be longer than 60/,
    site: /must be a URL/,
    domain: /must be given/,
    shop: /must be a name within a domain/,
    phone: /must be a telephone number/,
    region: /must be one of eu, us/,
    plan: /must be given/,
    office: /Country \(two letters, such as GB\) must be/,
    settings: /must be JSON/,
  }
  for (const [name, fault] of Object.entries(faults)) {
    const control = name === 'plan' ? 'value:plan:0' : name === 'office' ? 'address_line1:office' : `value:${name}`
    t.match(new RegExp(`<p class="error" id="error:${name}"[^>]*>([^<]*)`).exec(answer.body)?.[1], fault, name)
    t.match(new RegExp(`<a href="#${control}">([^]*?)</a>`).exec(answer.body)?.[1], fault, `${name} in the summary`)
    t.match(tagOf(answer.body, control), /aria-invalid="true"/)
  }
  t.equal([...answer.body.matchAll(/class="error"/g)].length, Object.keys(faults).length)
  for (const [id, value] of [['admin_email', 'none'], ['phone', 'call &quot;me&quot;'], ['shop', 'a b']] as const) t.match(tagOf(answer.body, `value:${id}`), `value="${value}"`)
  t.match(tagOf(answer.body, 'value:extras:1'), / checked/)
  t.match(tagOf(answer.body, 'value:plan:1'), /^(?!.* checked)/, 'nothing chosen stays so')
  t.match(tagOf(answer.body, 'country:office'), 'value="England"')
  t.match(answer.body, '>\n{&quot;a&quot;: &lt;</textarea>')
  t.notMatch(answer.body, 'PIN-4711')
  const json = await one.send(wrong, '*/*')
  t.match(json.json(), { status: 400, error_code: 'VAL_001' })
  t.ok(json.json<{ errors: string[] }>().errors.includes('params.domain: must be given'))
  t.strictSame(await paramsOf(one), before, 'nothing was written')
  t.match(await one.market.byVendor('GET', `/v1/requests/${one.id}`), { status: 'inquiring', answered: false })
  const { market, send } = one
  await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params: [{ id: 'shop', value: 'taken' }] } }))
  const taken = await send({ ...RIGHT, 'value:shop': 'taken' })
  t.equal(taken.statusCode, 400)
  t.match(taken.body, /id="error:shop"[^>]*>Error: must be unique/, 'what only the writing finds out is shown alike')
  t.strictSame(await paramsOf(one), before)
  for (const deep of [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, '{"__proto__": 1}', '{"a": "\\u0000"}', '5', 'null', '"x"']) {
    t.match((await one.send({ 'value:settings': deep })).body, /id="error:settings"[^>]*>Error: must be JSON/)
  }
})

// Guarantee: a wrong code, one that was used and an unknown request are one page; what cannot be read is refused by the rules of other bodies.
t.test('what is refused', async (t) => {
  const one = await asked(t, [])
  const { app } = one.service
  const ask = (method: 'GET' | 'POST', url: string, accept = BROWSER) => app.inject({ method, url, headers: { accept } })
  const code = new URL(one.url, 'http://x').searchParams.get('code')!
  const closed = await ask('GET', `/v1/requests/PR-0000-0000-0000-001/form?code=${code}`)
  t.equal(closed.statusCode, 404)
  for (const method of ['GET', 'POST'] as const) {
    for (const url of [`/v1/requests/${one.id}/form?code=x`, `/v1/requests/${one.id}/form?code=${code}x`, `/v1/requests/PR-0000-0000-0000-001/form?code=${code}`]) {
      const answer = await ask(method, url)
      t.strictSame([answer.statusCode, answer.body], [404, closed.body], `${method} ${url}`)
      t.match((await ask(method, url, '*/*')).json(), { status: 404, error_code: 'REQ_003' })
    }
    t.equal((await ask(method, `/v1/requests/${one.id}/form`)).statusCode, 400)
  }
  const send = (payload: string | Buffer, type = 'application/x-www-form-urlencoded', accept = BROWSER) => app.inject({ method: 'POST', url: one.url, headers: { accept, 'content-type': type }, payload })
  const refused: Array<[status: number, answer: LightMyRequestResponse]> = [
    [400, await send('value%3Aadmin_email=a%00b')], [400, await send('a%00b=x')], [400, await send(Buffer.from([0x61, 0x3d, 0xff]))], [400, await send('')],
    [413, await send(`a=${'x'.repeat(1024 * 1024)}`)], [415, await send('{}', 'application/json')], [415, await send('x', 'text/plain')], [415, await send('a=b', 'application/x-www-form-urlencoded; charset=latin1')],
  ]
  for (const [status, { statusCode, headers, body }] of refused) {
    t.equal(statusCode, status)
    t.match(headers, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': /default-src 'none'/ })
    t.match(body, /<h1/)
  }
  t.match((await send('a=%00', undefined, '*/*')).json(), { error_code: 'VAL_004' })
  const elsewhere = await app.inject({ method: 'POST', url: `/v1/requests/${one.id}/pend?code=${code}`, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'a=b' })
  t.equal(elsewhere.statusCode, 415, 'a form is read nowhere else')
  t.equal((await one.send({ 'value:admin_email': 'ada@example.com' }, '*/*')).statusCode, 204)
  t.equal((await ask('GET', one.url)).body, closed.body, 'a code that was used is as one that never was')
})

// Guarantee: who does not prefer HTML gets JSON as before; a page is kept, framed, indexed, run and referred by nobody, and loads nothing.
t.test('who gets a page, and its headers', async (t) => {
  const one = await asked(t, [])
  const pages = [BROWSER, 'text/html', 'TEXT/HTML', 'text/html, application/xhtml+xml, */*', 'application/json;q=0.5, text/html']
  const programs = ['*/*', 'application/json', 'application/json, text/plain, */*', 'text/html;q=0', 'text/html;q=0.5, */*', 'text/html, application/json', 'text/html;q=x', 'text/plain', '']
  for (const accept of pages) t.match((await one.open(accept)).body, /^<!doctype html>\n/, accept)
  for (const accept of programs) {
    const { headers, body } = await one.open(accept)
    t.match(headers, { 'content-type': 'application/json; charset=utf-8', vary: 'accept', 'cache-control': 'no-store' }, accept)
    t.strictSame(Object.keys(JSON.parse(body)).sort(), ['id', 'message', 'params', 'product', 'status', 'type'])
  }
  for (const { headers, body } of [await one.open(), await one.send({})]) {
    const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    t.match(headers, {
      'content-type': 'text/html; charset=utf-8',
      vary: 'accept',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex',
      'x-content-type-options': 'nosniff',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    })
    t.notMatch(body, /<(script|img|link|iframe|object)\b| on\w+=| style=|https?:/, 'nothing runs and nothing is loaded')
  }
})
