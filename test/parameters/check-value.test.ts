import fc from 'fast-check'
import t from 'tap'
import { checkValue } from '../../src/parameters/check-value.js'
import type { Definition } from '../../src/parameters/definitions.js'
import { missingRequired } from '../../src/parameters/missing-required.js'
import { renderTemplate } from '../../src/parameters/render-template.js'
import { TYPES } from '../../src/parameters/schema.js'
import { constraintsBody } from '../../src/products/parameters/constraints.js'

type Type = Definition['type']
const definitionOf = (type: Type, constraints: object = {}) => ({ type, constraints: constraintsBody(constraints, { hint: '', placeholder: '' }) })
const check = (type: Type, given: unknown, constraints: object = {}) =>
  checkValue(definitionOf(type, constraints), typeof given === 'string' ? { value: given } : { structured_value: given })

const choices = { choices: [{ value: 'red', label: 'Red' }, { value: 'blue', label: 'Blue' }] }
const ADDRESS = { address_line1: '1 Street', city: 'London', country: 'GB' }
const CASES: Array<[type: Type, right: unknown[], wrong: unknown[], constraints?: object]> = [
  ['text', ['x', ' ', '{{ x }}', '😀'.repeat(2048)], ['x'.repeat(2049), '😀'.repeat(2049), { x: 1 }]],
  ['text', ['abc', '😀😀😀', 'abcd'], ['ab', 'abcde'], { min_length: 3, max_length: 4 }],
  ['password', ['hunter2'], ['short'], { min_length: 6 }],
  ['email', ['ada@example.com', 'a+b@müller.de'], ['ada', 'ada@', 'a@x.de, b@x.de', 'Ada <ada@example.com>']],
  ['url', ['https://example.com/a?b=c#d', 'http://localhost:3000'], ['example.com', 'javascript:alert(1)', 'https://', 'https://a b', 'mailto:a@b.de']],
  ['domain', ['example.com', 'müller.de', 'a.b.c.org'], ['example', '-a.com', 'a..com', 'a b.com', 'https://example.com', '127.0.0.1']],
  ['subdomain', ['shop', 'shop.eu'], ['shop_eu', '-shop', 'a b']],
  ['dropdown', ['red', 'blue'], ['green', 'Red'], choices],
  ['choice', ['red'], ['green'], choices],
  ['choice', ['anything'], []],
  ['checkbox', [{ red: true, blue: false }, { red: false }], [{ green: true }, { red: 'yes' }, ['red'], 'red'], choices],
  ['phone', [{ country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' }, { phone_number: '1234' }, '+44 20 79460000', '+44 20 79460000 ext. 12'],
    [{ country_code: '+44' }, { phone_number: 'call me' }, { phone_number: 1234 }, 'call me']],
  ['address', [ADDRESS, { ...ADDRESS, state: '', postal_code: 'SW1Y 4JH', other: 1 }], [{ city: 'London' }, { ...ADDRESS, country: 'England' }, { ...ADDRESS, city: 1 }, 'London']],
  ['object', [{ a: { b: [1] } }, [1, 2]], ['{"a":1}', { a: 'x'.repeat(70_000) }]],
  ['heading', [], ['x', { x: 1 }]],
  ['content', [], ['x', { x: 1 }]],
]

// Guarantee: a value is taken by its type and constraints, and what is refused is told in a sentence.
t.test('values by type', async (t) => {
  t.strictSame([...new Set(CASES.map(([type]) => type))].sort(), [...TYPES].sort(), 'every type is here')
  for (const [type, right, wrong, constraints] of CASES) {
    for (const given of right) t.equal(check(type, given, constraints), undefined, `${type} takes ${JSON.stringify(given).slice(0, 80)}`)
    for (const given of wrong) t.match(check(type, given, constraints), /^(must |structured_value[. ]|is )/, `${type} refuses ${JSON.stringify(given).slice(0, 80)}`)
  }
  for (const type of TYPES) {
    for (const given of ['', null, undefined, {}, []]) t.equal(checkValue(definitionOf(type, { ...choices, required: true, min_length: 3 }), { value: '', structured_value: given }), undefined, `${type}: nothing is never wrong`)
  }
})

// Guarantee: whatever is given, checking it neither throws nor repeats a free text in its message, which may be a secret.
t.test('any value can be checked', async () => {
  const types = fc.constantFrom(...TYPES)
  fc.assert(fc.property(types, fc.jsonValue(), fc.jsonValue(), (type, value, structured) => {
    const given = { value: typeof value === 'string' ? value : null, structured_value: typeof structured === 'object' ? structured : null }
    const message = checkValue(definitionOf(type), given)
    return message === undefined || message.length > 0
  }))
  fc.assert(fc.property(fc.constantFrom<Type>('text', 'password', 'email', 'url', 'domain', 'subdomain', 'phone'), fc.string({ minLength: 6, unit: 'grapheme-ascii' }), (type, value) =>
    !(checkValue(definitionOf(type, { min_length: 100 }), { value }) ?? '').includes(value)))
})

// Guarantee: a required parameter of the phase without a value is named, and no other; headings want none.
t.test('what is missing', async (t) => {
  const definition = (name: string, phase: Definition['phase'], required = true, type: Type = 'text') => ({ name, phase, ...definitionOf(type, { required }) })
  const definitions = [definition('a', 'ordering'), definition('b', 'ordering'), definition('c', 'ordering', false), definition('d', 'fulfillment'), definition('h', 'ordering', true, 'heading'), definition('o', 'ordering', true, 'object')]
  t.strictSame(missingRequired(definitions, [{ id: 'a', value: '' }, { id: 'b', value: 'x' }, { id: 'o', value: '', structured_value: { x: 1 } }], 'ordering'), ['a'])
  t.strictSame(missingRequired(definitions, [], 'fulfillment'), ['d'])
})

// Guarantee: names are replaced by values, which are not searched again; nothing runs; text without placeholders stays as it is.
t.test('templates', async (t) => {
  t.equal(renderTemplate('Your {{key}}, {{ key }}, {{\tkey }}', { key: 'K-1' }), 'Your K-1, K-1, K-1')
  t.equal(renderTemplate('[{{ nobody }}]{{ constructor }}{{ __proto__ }}', {}), '[]')
  t.equal(renderTemplate('{{ a }}', { a: '{{ b }} $& $1', b: 'no' }), '{{ b }} $& $1')
  t.equal(renderTemplate('{{ a b }} {{ }} { {a} } {{{{ a }}}}', { a: 'x' }), '{{ a b }} {{ }} { {a} } {{x}}')
  fc.assert(fc.property(fc.string().filter((text) => !text.includes('{{')), (text) => renderTemplate(text, {}) === text))
  fc.assert(fc.property(fc.string(), fc.string().filter((text) => !text.includes('{')), (value, around) =>
    renderTemplate(`${around}{{ v }}${around}`, { v: value }) === `${around}${value}${around}`))
  const started = process.cpuUsage().user
  for (const hostile of ['{{ '.repeat(200_000), '{{ ' + ' '.repeat(600_000), '{'.repeat(600_000), '{{ a'.repeat(150_000), '{{' + 'a'.repeat(600_000)]) renderTemplate(hostile, { a: 'x' })
  t.ok(process.cpuUsage().user - started < 2_000_000, 'in time that grows with the length only') // microseconds; a quadratic one takes minutes
})
