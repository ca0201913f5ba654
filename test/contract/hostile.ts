// Requests that are nearly what the OpenAPI document asks for: valid values from its schemas, then spoilt.
import fc from 'fast-check'
import type { Operation, Schema } from './document.js'

/** Bytes of JSON that no value gives. */
class Raw {
  readonly text: string
  constructor (text: string) { this.text = text }
}

const DEEP = 100_000
const HOSTILE: unknown[] = [
  null, true, false, '', ' ', 'x', 0, -0, -1, 0.5, 1e21, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, [], {}, [[]], [null], [{}],
  new Raw('1e309'), new Raw('-1e400'), new Raw('9223372036854775808'), new Raw('123456789012345678901234567890'), new Raw('1E+2'), new Raw('-0.0'),
  new Raw('NaN'), new Raw('01'), new Raw(''), new Raw('"\\ud83d"'), new Raw('"\\udc00\\ud800"'), new Raw('"\\u0000"'), new Raw('"\\x"'), new Raw('"\u0001"'), new Raw('"\ufffe\uffff"'),
  new Raw('{"__proto__": {"admin": true}}'), new Raw('{"constructor": {"prototype": {"admin": true}}}'), new Raw('{"a": 1, "a": 2}'), new Raw('{"toString": 1, "hasOwnProperty": 1}'),
  new Raw('['.repeat(DEEP)), new Raw('['.repeat(DEEP) + ']'.repeat(DEEP)), new Raw('{"a":'.repeat(DEEP) + '1' + '}'.repeat(DEEP)), new Raw('[['.repeat(40) + ']]'.repeat(40)),
  'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(5000), 'x'.repeat(300_000), '😀'.repeat(255), 'é'.repeat(256), 'ａ'.repeat(101), '\u202e\u200b\ufeff', 'a\nb', 'a\r\nBcc: x@y.example', 'a\tb', '\u007f',
  "'; drop table orders; --", '\\', '%00', '{KEY}', '{KEY}'.repeat(20_000), '../../etc/passwd', '1970-01-01T00:00:00Z', '0000-00-00T00:00:00Z', '9999-12-31T23:59:60Z', '+275760-09-13T00:00:00Z',
  '2026-01-31T10:15:00+99:99', '2026-02-30T00:00:00Z', '294277-01-01T00:00:00Z', 'a@b@c', '<a@b.example>, c@d.example', '"a b"@c.example', `${'a'.repeat(64)}@${'b'.repeat(180)}.example`,
  Array.from({ length: 3000 }, (_, i) => i), Array.from({ length: 3000 }, (_, i) => `n${i}`), Array.from({ length: 101 }, () => ({ product: 'sku-FUZZ', quantity: 1 })), Array.from({ length: 2 }, () => 'same'),
  Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`n${i}`, i])),
]
const hostile = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...HOSTILE) }, fc.string({ unit: 'binary', maxLength: 300 }), fc.json({ maxDepth: 3 }).map((text) => new Raw(text)), fc.double(), fc.bigInt().map((n) => new Raw(String(n))))

const RQL = [
  'limit=-1', 'limit=1e9', 'limit=0', 'limit=99999999999999999999', 'limit=1&limit=2', 'offset=9223372036854775808', 'offset=9007199254740991', 'ordering(-id', 'ordering(id,id,-id)', 'ordering=', 'ordering(-nothing)',
  'eq(id,x', 'eq(id)', 'eq(,)', 'in(id,())', `in(id,(${'x,'.repeat(3000)}x))`, 'not(not(not(eq(id,x))))', `${'not('.repeat(300)}eq(id,x)${')'.repeat(300)}`, `${'('.repeat(9000)}`, `${'and('.repeat(20)}eq(id,x)`, 'id=x|id=y', ';', '&&&', '|||', ',',
  'like(id,*x*)', 'ilike(name,%25)', 'name=%00', 'name=%ff', 'name=%ZZ', 'name=%', 'name=%ED%A0%80', 'created_at=0000-00-00', 'ge(created_at,9999999-01-01T00:00:00Z)', 'created_at=infinity', 'lt(created_at,-4714-01-01T00:00:00Z)',
  'gt(line,1e309)', 'line=99999999999', 'attempts=2147483648', 'attempts=-2147483649', 'line=NaN', 'eq(customer.email,null())', 'id=null()', 'id=empty()', "id='", 'id="', `name=${'x'.repeat(20_000)}`, `${'x'.repeat(20_000)}`, 'constructor=1',
  '__proto__=1', 'eq(__proto__,1)', 'toString=1', 'dry_run=maybe', 'dry_run=1', 'strict=&source=', `source=${'s'.repeat(256)}`, 'product=a&product=b', 'product=%00&currency=EUR', 'product=x&currency=eur', 'product=sku-FUZZ&currency=EUR&mode=x', 'product[]=1',
]
/** Not empty and no dots: `/v1/products/` is the list, with or without its slash. */
const IDS = [
  '%00', '%20', '%2F', '%ff', '%ZZ', '%', '%ED%A0%80', 'x'.repeat(100), 'x'.repeat(101), 'x'.repeat(256), 'x'.repeat(20_000), '%F0%9F%98%80', 'null', 'undefined', '__proto__', 'route', "'or'1'='1", 'PL-', 'VA-000-000', '*', ':id', '%25', 'a%0d%0ab: c', ';x', '{id}', 'é',
]
const HEADERS: Array<Record<string, string>> = [
  { 'content-type': 'text/plain' }, { 'content-type': 'application/json; charset=utf-16' }, { 'content-type': 'application/json; charset="utf-8"' }, { 'content-type': '' }, { 'content-type': 'x' }, { 'content-type': 'application/xml' }, { 'content-type': 'text/csv' },
  { 'content-encoding': 'gzip' }, { accept: 'application/problem+json' }, { accept: 'text/html' }, { accept: 'x'.repeat(5000) }, { 'idempotency-key': '' }, { 'idempotency-key': 'x'.repeat(256) }, { 'idempotency-key': 'again' }, { 'idempotency-key': 'ÿ' },
  { 'x-http-method-override': 'DELETE' }, { 'x-request-id': 'x'.repeat(2000) }, { 'webhook-timestamp': '99999999999999999999' }, { 'webhook-id': 'ÿ' }, { 'webhook-signature': 'v1,'.repeat(1000) }, { authorization: 'ApiKey' }, { authorization: '' },
]

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Raw)

/**
 * What values are made from: the schemas that the document names, and values that mean something to the service, by the name of the field.
 * `always`: no others, or the tenant could not be used any more, or somebody else's server would be called.
 */
export interface Source { schemas: Record<string, Schema>, known: Record<string, fc.Arbitrary<unknown>>, always: Record<string, fc.Arbitrary<unknown>> }

/** Values that a schema takes, mostly. */
function valid (source: Source, schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return valid(source, source.schemas[schema.$ref.replace('#/components/schemas/', '')] as Schema)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const { type = 'object', properties = {}, required = [], minLength = 0, maxLength = 40, minimum = 0, maximum = 1000, minItems = 0, maxItems = 4, items = {}, examples = [] } = schema
  switch ([type].flat()[0]) {
    case 'boolean': return fc.boolean()
    case 'integer': return fc.oneof(fc.integer({ min: minimum, max: Math.min(maximum, minimum + 3) }), fc.constantFrom(minimum, maximum))
    case 'array': return fc.array(valid(source, items), { minLength: minItems, maxLength: Math.min(maxItems, 4) })
    case 'string': {
      if (schema.format === 'date-time') return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') }).map((date) => date.toISOString())
      if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern))
      const any = fc.string({ unit: fc.constantFrom(...'abz09 -_{KEY}é😀'), minLength, maxLength: Math.min(maxLength, 40) })
      return examples.length === 0 ? any : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...examples) }, any)
    }
    default: {
      const members = Object.entries(properties).map(([name, inner]) => [name, known(source, name, valid(source, inner))] as const)
      return fc.record(Object.fromEntries(members), { requiredKeys: required })
    }
  }
}

const known = ({ known, always }: Source, name: string, any: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => always[name] !== undefined
  ? always[name]
  : known[name] === undefined ? any : fc.oneof({ weight: 9, arbitrary: known[name] }, any)

/** Every place in a value, as the way to it. */
function placesOf (value: unknown, way: string[] = []): string[][] {
  if (!isObject(value) && !Array.isArray(value)) return [way]
  return [way, ...Object.entries(value).slice(0, 20).flatMap(([name, inner]) => placesOf(inner, [...way, name]))]
}

function put (value: unknown, [name, ...rest]: string[], bad: unknown): unknown {
  if (name === undefined) return bad
  const copy = (Array.isArray(value) ? [...value] : { ...value as object }) as Record<string, unknown>
  copy[name] = put(copy[name], rest, bad)
  return copy
}

/** JSON with its raw parts; some member names twice. */
function textOf (value: unknown, twice: boolean): string {
  if (value instanceof Raw) return value.text
  if (Array.isArray(value)) return `[${value.map((one) => textOf(one, twice)).join()}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${textOf(inner, twice)}`)
  return `{${[...(twice ? members.slice(0, 2).map((member) => member.replace(/:[^]*$/, ':1')) : []), ...members].join()}}`
}

const EXTRA = [...Array<undefined>(10), 'unknown', '__proto__', 'constructor', '\u0000', 'x'.repeat(5000)]

type Spoil = (value: unknown) => Buffer

const changes = fc.array(fc.tuple(fc.nat(), hostile), { maxLength: 2 })
/** Changes one or two places of a value, adds a field too many, or makes bytes of it that are no JSON. */
const spoil: fc.Arbitrary<Spoil> = fc.tuple(changes, fc.constantFrom(...EXTRA), fc.nat(19), fc.nat()).map(([changes, extra, how, at]) => (value) => {
  const bad = changes.reduce((all, [at, change]) => {
    const places = placesOf(all)
    return put(all, places[at % places.length] as string[], change)
  }, value)
  const bytes = Buffer.from(textOf(extra === undefined || !isObject(bad) ? bad : Object.fromEntries([...Object.entries(bad), [extra, 1]]), how === 0))
  if (how === 1) return bytes.subarray(0, at % (bytes.length + 1))
  if (how === 2) return Buffer.concat([bytes.subarray(0, at % (bytes.length + 1)), Buffer.from([0xff, 0xc0, 0x00]), bytes.subarray(at % (bytes.length + 1))])
  return how === 3 ? Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]) : bytes
})
const keep: fc.Arbitrary<Spoil> = fc.constant((value: unknown) => Buffer.from(textOf(value, false)))

/** Lines of a load: some keys, some that cannot be one. */
const lines = fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constantFrom('', 'KEY-1', 'a\u0000b', 'x'.repeat(4097), 'license,note', '"a,b', '=1+1', '\ufeffKEY')), { maxLength: 40 })
  .chain((all) => fc.constantFrom('\n', '\r\n', '\r').map((end) => Buffer.from(all.join(end))))

export interface HostileRequest {
  operation: Operation
  /** the last id in the path; undefined: the tenant's own */
  id: string | undefined
  query: string
  headers: Record<string, string>
  /** a function: of the body that is valid for the tenant */
  body: Buffer | undefined | Spoil
  /** other: the other side of the tenant's sale */
  as: 'owner' | 'other' | 'operator' | 'nobody'
}

/** Requests for the operations of a document, half of them as they should be. `more`: schemas of bodies that the document does not describe. */
export function hostileRequests (operations: Operation[], source: Source, more: Record<string, Schema>): fc.Arbitrary<HostileRequest> {
  const rarely = <T>(arbitrary: fc.Arbitrary<T>, usual: T): fc.Arbitrary<T> => fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary })
  const texts = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...RQL) }, fc.string({ unit: fc.constantFrom(...'(),=&|;+-<>\'"%0a*eqinltgrdsx_.'), maxLength: 60 }), fc.webQueryParameters())
  return fc.oneof(...operations.map((operation) => {
    const schema = more[operation.id]
    const media: Array<[string, Schema]> = schema === undefined ? Object.entries(operation.bodies) : [['application/json', schema]]
    const bodies = (how: fc.Arbitrary<Spoil>): fc.Arbitrary<{ body?: Buffer | Spoil, type?: string }> => media.length === 0
      ? fc.constantFrom({}, ...(how === spoil ? [{ body: Buffer.from('{}'), type: 'application/json' }] : []))
      : fc.oneof(...(schema === undefined ? [how.map((body) => ({ body }))] : []), ...media.map(([type, schema]) => schema.type === 'string'
        ? lines.map((body) => ({ body, type }))
        : fc.tuple(valid(source, schema), how).map(([value, change]) => ({ body: change(value), type }))))
    const asItShould = fc.record({
      id: fc.constant(undefined as string | undefined),
      query: fc.constant(''),
      header: fc.constant({}),
      content: bodies(keep),
      as: fc.constant<HostileRequest['as']>('owner'),
    })
    const spoilt = fc.record({
      id: rarely(fc.oneof(fc.constantFrom(...IDS), fc.webSegment().filter((segment) => !/^\.{0,2}$/.test(segment))), undefined),
      query: operation.parameters.some((parameter) => parameter.in === 'query') ? fc.oneof(texts, fc.constant('')) : rarely(texts, ''),
      header: rarely(fc.constantFrom<Record<string, string>>(...HEADERS), {}),
      content: bodies(spoil),
      as: fc.constantFrom<HostileRequest['as']>('owner', 'owner', 'owner', 'owner', 'owner', 'other', 'operator', 'nobody'),
    })
    return fc.oneof(asItShould, spoilt).map(({ id, query, header, content: { body, type }, as }) => ({
      operation, id, query, as, body, headers: { ...(type === undefined ? {} : { 'content-type': type }), ...header },
    }))
  }))
}
