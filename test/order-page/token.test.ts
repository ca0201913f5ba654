import fc from 'fast-check'
import t from 'tap'
import { readToken, signToken, type Ticket } from '../../src/order-page/token.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'

const NOW = new Date('2026-01-31T10:15:00Z')
const keyring = readKeyring(newKeyMaterial())
const ticket: Ticket = { account_id: 'VA-123-456', order_id: 'OR-19ab3c4d5e6f0a1b2c3d4e5f607', generation: 0, expires_at: new Date('2026-05-01T10:15:00Z') }

// Guarantee: a token says what was signed, always in the same words and in letters that a URL and a header take as they are.
t.test('a token says its ticket', async (t) => {
  const text = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
  fc.assert(fc.property(text, text, fc.nat(2 ** 32 - 1), fc.integer({ min: 1_800_000_000, max: 2 ** 32 - 1 }), (account_id, order_id, generation, seconds) => {
    fc.pre(Buffer.byteLength(account_id) < 256 && Buffer.byteLength(account_id + order_id) < 250)
    const one: Ticket = { account_id, order_id, generation, expires_at: new Date(seconds * 1000) }
    const token = signToken(keyring, one)
    t.match(token, /^OP_[A-Za-z0-9_-]+$/)
    t.equal(signToken(keyring, one), token)
    t.strictSame(readToken(keyring, token, NOW), one)
  }), { numRuns: 200 })
  t.ok(signToken(keyring, ticket).length < 110, 'it is short enough for a mail')
})

// Guarantee: no other text opens anything: one character changed at any place, cut, lengthened, spelled otherwise, of other keys, or too late.
t.test('what is no token', async (t) => {
  const token = signToken(keyring, ticket)
  const opened: string[] = []
  for (let i = 0; i < token.length; i++) {
    for (const letter of ['A', 'B', 'Q', 'g', '_', '-', '0']) {
      const other = token.slice(0, i) + letter + token.slice(i + 1)
      if (other !== token && readToken(keyring, other, NOW) !== undefined) opened.push(other)
    }
    for (const part of [token.slice(0, i), token.slice(i + 1)]) if (readToken(keyring, part, NOW) !== undefined) opened.push(part)
  }
  // the last letter has bits that decoding drops: all that decode alike but one are refused
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = [...letters].filter((letter) => readToken(keyring, token.slice(0, -1) + letter, NOW) !== undefined)
  t.strictSame(last, [token.at(-1)])
  for (const other of ['', 'OP_', `${token}A`, `${token}=`, ` ${token}`, token.toLowerCase(), token.slice(3), token.replace('OP_', 'OP-'), 'OP_'.padEnd(500, 'A'), 'OP_'.padEnd(60, 'A')]) {
    if (readToken(keyring, other, NOW) !== undefined) opened.push(other)
  }
  t.strictSame(opened, [])
  t.equal(readToken(readKeyring(newKeyMaterial()), token, NOW), undefined, 'keys of another service')
  t.equal(readToken(keyring, token, ticket.expires_at), undefined, 'it has ended')
  t.strictSame(readToken(keyring, token, new Date(ticket.expires_at.getTime() - 1)), ticket, 'a moment before it had not')
})

// Guarantee: where one id ends and the next begins is part of what is signed: no two tickets have one token.
t.test('the border of two ids', async (t) => {
  const shifted: Ticket = { ...ticket, account_id: 'VA-123-456O', order_id: ticket.order_id.slice(1) }
  t.not(signToken(keyring, shifted), signToken(keyring, ticket))
  t.strictSame(readToken(keyring, signToken(keyring, shifted), NOW), shifted)
})

// Guarantee: new key material signs new links and goes on opening old ones; what was dropped opens none.
t.test('rotation', async (t) => {
  const [first, second] = [newKeyMaterial(), newKeyMaterial()]
  const second_key = second.split(',1=')[1] ?? ''
  const [before, both, after] = [first, `${first},2=${second_key}`, `${first.split(',')[0] ?? ''},2=${second_key}`].map(readKeyring)
  const [old, fresh] = [signToken(before!, ticket), signToken(both!, ticket)]
  t.strictSame([readToken(both!, old, NOW), readToken(both!, fresh, NOW), readToken(after!, fresh, NOW)], [ticket, ticket, ticket])
  t.strictSame([readToken(before!, fresh, NOW), readToken(after!, old, NOW)], [undefined, undefined])
})
