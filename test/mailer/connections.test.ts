import { createPublicKey, createHash, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import PostalMime from 'postal-mime'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { bounceAddressFor, MailRefused, smtpTransport, type Mail, type Timeouts } from '../../src/mailer/transport.js'
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from '../support/certificate.js'
import { mailServer, scriptedMailServer, type Script } from '../support/smtp.js'
import { until } from '../support/until.js'

const config = (env: NodeJS.ProcessEnv = {}) => readConfig({ MAIL_FROM: 'Acme Keys <keys@acme.example>', ...env })
const never = new AbortController().signal
const brief: Timeouts = { connection: 2000, greeting: 2000, socket: 2000, whole: 5000, idle: 2000 }

const mail = (over: Partial<Mail> = {}): Mail => ({
  id: 'DE-1', message_id: '<DE-1@acme.example>', to: { name: 'Ana Souza', address: 'ana@example.com' }, subject: 'Your key', text: 'Key: ABCD\n', html: '<p>ABCD</p>', ...over,
})

async function outcomeOf (sending: Promise<string>): Promise<{ outcome: string, answer: string }> {
  try {
    return { outcome: 'sent', answer: await sending }
  } catch (error) {
    if (error instanceof MailRefused) return { outcome: error.outcome, answer: error.answer }
    throw error
  }
}

// Guarantee: mails follow each other on one connection, also after one that was refused; no more connections are open than may be, and all are given back.
t.test('connections are kept', async (t) => {
  const server = await mailServer(t)
  const post = smtpTransport(server.url, config({ SMTP_CONNECTIONS_MAX: '3' }), brief)
  for (let i = 0; i < 5; i++) await post.send(mail(), never)
  t.equal(server.connections(), 1)
  server.faults.rcpt = (address) => address.startsWith('gone') ? { code: 550, text: '5.1.1 no such user' } : undefined
  t.match(await outcomeOf(post.send(mail({ to: { name: '', address: 'gone@example.com' } }), never)), { outcome: 'bounced' })
  await post.send(mail(), never)
  t.equal(server.connections(), 1, 'a refused mail costs no connection')
  await Promise.all(Array.from({ length: 40 }, () => post.send(mail(), never)))
  t.equal(server.mails.length, 46)
  t.ok(server.connections() <= 3, `${server.connections()} connections`)
  post.close?.()
})

// Guarantee: what ends a connection between two mails, or before a byte of a mail, costs no try; what ends it after that is never sent again by itself.
t.test('connections that break', async (t) => {
  const cases: Array<[what: string, script: Script, outcomes: string[], mails: number]> = [
    ['closed after each mail', (said, { mail, socket }) => { if (said === '.' && mail === 1) setImmediate(() => socket.end()); return undefined }, ['sent', 'sent', 'sent'], 3],
    ['421 after each mail', (said, { mail }) => /^MAIL/.test(said) && mail === 1 ? '421 4.7.0 one mail is enough' : undefined, ['sent', 'sent', 'sent'], 3],
    ['reset at the second MAIL', (said, { mail }) => /^MAIL/.test(said) && mail === 1 ? 'cut' : undefined, ['sent', 'sent', 'sent'], 3],
    ['reset at the second DATA', (said, { mail }) => said === 'DATA' && mail === 1 ? 'cut' : undefined, ['sent', 'sent', 'sent'], 3],
    ['reset after the second mail', (said, { mail }) => said === '.' && mail === 2 ? 'cut' : undefined, ['sent', 'deferred', 'sent'], 3],
    ['421 after the second mail', (said, { mail }) => said === '.' && mail === 2 ? '421 4.3.2 shutting down' : undefined, ['sent', 'deferred', 'sent'], 3],
    ['reset at the first MAIL of all', (said, { connection }) => /^MAIL/.test(said) && connection === 1 ? 'cut' : undefined, ['deferred', 'sent', 'sent'], 2],
    ['nobody at home', (said) => said === 'CONNECT' ? '554 5.3.2 no service here' : undefined, ['deferred', 'deferred', 'deferred'], 0],
    ['421 for a greeting', (said) => said === 'CONNECT' ? '421 4.3.2 too busy' : undefined, ['deferred', 'deferred', 'deferred'], 0],
    ['RSET refused', (said, { mail }) => /^RCPT/.test(said) && mail === 1 ? '451 4.7.1 later' : said === 'RSET' ? 'cut' : undefined, ['sent', 'deferred', 'sent'], 2],
  ]
  for (const [what, script, outcomes, mails] of cases) {
    const server = await scriptedMailServer(t, script)
    const post = smtpTransport(server.url, config(), brief)
    const got: string[] = []
    for (let i = 0; i < 3; i++) got.push((await outcomeOf(post.send(mail(), never))).outcome)
    t.strictSame([got, server.mails.length], [outcomes, mails], what)
    post.close?.()
  }
})

// Guarantee: one mail whose server is slow holds up no other; a stop cuts its connection and only its.
t.test('a slow conversation', async (t) => {
  const cut: string[] = []
  const server = await scriptedMailServer(t, (said, { socket }) => {
    if (!said.includes('slow@')) return undefined
    socket.on('close', () => { cut.push(said) })
    return ''
  })
  const post = smtpTransport(server.url, config({ SMTP_CONNECTIONS_MAX: '2' }), brief)
  await post.send(mail(), never)
  const stop = new AbortController()
  const slow = outcomeOf(post.send(mail({ to: { name: '', address: 'slow@example.com' } }), stop.signal))
  for (let i = 0; i < 5; i++) await post.send(mail(), never)
  stop.abort()
  t.match(await slow, { outcome: 'deferred' })
  await until('the connection is cut', () => cut.length === 1)
  await post.send(mail(), never)
  t.equal(server.connections(), 2)
  const waiting = new AbortController()
  const hanging = [1, 2].map(() => outcomeOf(post.send(mail({ to: { name: '', address: 'slow@example.com' } }), waiting.signal)))
  const queued = outcomeOf(post.send(mail(), waiting.signal))
  waiting.abort()
  for (const each of [...hanging, queued]) t.match(await each, { outcome: 'deferred' }, 'who waits for a connection hears of a stop too')
  await post.send(mail(), never)
  post.close?.()
})

// Guarantee (C5): which answers are the last word on a mail, and which are about the server, the connection or us.
t.test('answers', async (t) => {
  const cases: Array<[at: RegExp, answer: string, outcome: string]> = [
    [/^RCPT/, '550 5.1.1 no such user', 'bounced'], [/^RCPT/, '450 4.2.0 later', 'deferred'], [/^RCPT/, '452 4.2.2 full', 'deferred'],
    [/^RCPT/, '552 5.2.2 mailbox full', 'deferred'], [/^RCPT/, '552 mailbox full', 'deferred'], [/^\.$/, '552 5.3.4 too big', 'bounced'],
    [/^RCPT/, '550 Greylisted, try again later', 'deferred'], [/^RCPT/, '550 4.7.1 contradiction', 'deferred'], [/^RCPT/, '553 5.1.3 bad address', 'bounced'],
    [/^MAIL/, '530 5.7.0 Must issue a STARTTLS command first', 'deferred'], [/^MAIL/, '550 5.7.1 this sender is not liked', 'bounced'], [/^MAIL/, '503 5.5.1 out of order', 'deferred'],
    [/^DATA/, '554 5.5.1 no valid recipients', 'bounced'], [/^DATA/, '451 4.3.0 later', 'deferred'], [/^\.$/, '554 5.7.1 spam', 'bounced'], [/^\.$/, '451 4.3.0 later', 'deferred'],
    [/^(EHLO|HELO)/, '550 5.7.1 go away', 'deferred'], [/^CONNECT$/, '554 5.7.1 listed', 'deferred'],
  ]
  for (const [at, answer, outcome] of cases) {
    const server = await scriptedMailServer(t, (said) => at.test(said) ? answer : undefined)
    const got = await outcomeOf(smtpTransport(server.url, config(), brief).send(mail(), never))
    t.strictSame([got.outcome, got.answer], [outcome, answer], `${String(at)} ${answer}`)
  }
  const small = await scriptedMailServer(t, (said) => said.startsWith('EHLO') ? '250-scripted\r\n250 SIZE 100' : undefined)
  t.match(await outcomeOf(smtpTransport(small.url, config(), brief).send(mail(), never)), { outcome: 'bounced', answer: /larger/ })
})

// Guarantee: required means required, none means none, and a certificate that nobody vouches for is refused unless its authority is named.
t.test('TLS', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'tls-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const ca = path.join(dir, 'ca.pem')
  await writeFile(ca, TEST_CERTIFICATE)
  const plain = await mailServer(t)
  const starttls = await mailServer(t, { disabledCommands: [], key: TEST_CERTIFICATE_KEY, cert: TEST_CERTIFICATE })
  const smtps = await mailServer(t, { secure: true, key: TEST_CERTIFICATE_KEY, cert: TEST_CERTIFICATE })
  const send = (url: string, env: NodeJS.ProcessEnv): ReturnType<typeof outcomeOf> => outcomeOf(smtpTransport(url, config(env), brief).send(mail(), never))
  t.match(await send(plain.url, { SMTP_TLS: 'required' }), { outcome: 'deferred', answer: /^TLS is required and the server does not offer it/ })
  t.match(await send(plain.url, {}), { outcome: 'sent' })
  t.match(await send(starttls.url, {}), { outcome: 'deferred', answer: /^TLS failed: .*SELF_SIGNED/ }, 'also where TLS is not required: who offers it and shows a bad certificate is not believed')
  t.match(await send(starttls.url, { SMTP_TLS: 'none' }), { outcome: 'sent' })
  t.match(await send(starttls.url, { SMTP_TLS: 'required', SMTP_TLS_CA_FILE: ca }), { outcome: 'sent' })
  t.match(await send(starttls.url.replace('127.0.0.1', 'localhost'), { SMTP_TLS_CA_FILE: ca }), { outcome: 'deferred', answer: /^TLS failed: .*ALTNAME/ }, 'the name counts')
  const url = smtps.url.replace('smtp:', 'smtps:')
  t.match(await send(url, {}), { outcome: 'deferred', answer: /SELF_SIGNED/ })
  t.match(await send(url, { SMTP_TLS_CA_FILE: ca }), { outcome: 'sent' })
  t.throws(() => config({ SMTP_URL: 'smtps://x.example', SMTP_TLS: 'none' }), /SMTP_TLS=none/)
  t.throws(() => config({ SMTP_TLS: 'maybe' }), /SMTP_TLS must be one of/)
  t.throws(() => config({ DKIM_DOMAIN: 'x.example' }), /needed together/)
})

const unfolded = (head: string): string[] => head.replace(/\r\n(?=[ \t])/g, '').split('\r\n')
const relaxed = (line: string): string => { // RFC 6376 §3.4.2
  const colon = line.indexOf(':')
  return `${line.slice(0, colon).trim().toLowerCase()}:${line.slice(colon + 1).replace(/[ \t]+/g, ' ').trim()}`
}

/** The steps of RFC 6376 §6.1 for relaxed/relaxed and rsa-sha256, as its text has them. */
function isSigned (raw: Buffer, public_key: string): { fields: string[], tags: Map<string, string>, body_holds: boolean, holds: boolean } {
  const text = raw.toString('latin1')
  const split = text.indexOf('\r\n\r\n')
  const lines = unfolded(text.slice(0, split))
  const signature = lines.find((line) => /^dkim-signature:/i.test(line)) ?? ''
  const tags = new Map(signature.slice(signature.indexOf(':') + 1).split(';').map((tag) => {
    const at = tag.indexOf('=')
    return [tag.slice(0, at).trim(), tag.slice(at + 1).replace(/\s+/g, '')] as const
  }))
  const body = text.slice(split + 4).replace(/[ \t]+(?=\r\n)/g, '').replace(/[ \t]+/g, ' ').replace(/(\r\n)*$/, '\r\n') // §3.4.4
  const body_holds = createHash('sha256').update(body, 'latin1').digest('base64') === tags.get('bh')
  const fields = (tags.get('h') ?? '').toLowerCase().split(':')
  const rest = lines.filter((line) => line !== signature)
  const chosen = fields.map((field) => { // §5.4.2: from the bottom, each once
    const at = rest.findLastIndex((line) => line.slice(0, line.indexOf(':')).trim().toLowerCase() === field)
    return at < 0 ? '' : `${relaxed(rest.splice(at, 1)[0] ?? '')}\r\n`
  })
  const signed = chosen.join('') + relaxed(signature.replace(/(;\s*b=)[^;]*/, '$1'))
  const key = createPublicKey({ key: Buffer.from(public_key, 'base64'), format: 'der', type: 'spki' })
  return { fields, tags, body_holds, holds: verify('sha256', Buffer.from(signed, 'latin1'), key, Buffer.from(tags.get('b') ?? '', 'base64')) }
}

// Guarantee: a mail from the domain of a key is signed by it, so that RFC 6376 verifies it and a changed one not; from another domain it is not signed.
t.test('DKIM', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'dkim-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const pair = (): { private_key: string, public_key: string } => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    return { private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), public_key: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') }
  }
  const [house, vendor] = [pair(), pair()]
  await writeFile(path.join(dir, 'key.pem'), house.private_key)
  const server = await mailServer(t)
  const post = smtpTransport(server.url, config({ DKIM_DOMAIN: 'acme.example', DKIM_SELECTOR: 's1', DKIM_PRIVATE_KEY_FILE: path.join(dir, 'key.pem') }), brief)
  const sent = async (over: Partial<Mail>): Promise<Buffer> => {
    await post.send(mail(over), never)
    return server.mails.at(-1)?.raw ?? Buffer.alloc(0)
  }
  const hard = { subject: 'Schlüssel 🔑 für Sie, sehr lang '.repeat(6), text: 'a  b\t \n\n.\nüber\n\n\n', to: { name: 'عميل', address: 'ana@example.com' } }
  for (const over of [{}, hard]) {
    const raw = await sent(over)
    const checked = isSigned(raw, house.public_key)
    t.match([checked.body_holds, checked.holds, checked.tags.get('d'), checked.tags.get('s'), checked.tags.get('c')], [true, true, 'acme.example', 's1', 'relaxed/relaxed'])
    for (const field of ['from', 'to', 'subject', 'date', 'message-id']) t.ok(checked.fields.includes(field), field)
    const spoilt = Buffer.from(raw.toString('latin1').replace(/\r\nFrom: [^\r]*/, '\r\nFrom: Eve <eve@acme.example>'), 'latin1')
    t.equal(isSigned(spoilt, house.public_key).holds, false, 'a changed From is seen')
    t.equal(isSigned(Buffer.concat([raw, Buffer.from('more\r\n')]), house.public_key).body_holds, false, 'a changed body too')
  }
  const from = { name: 'Bolt', address: 'keys@bolt.example' }
  const theirs = isSigned(await sent({ from, dkim: { domain: 'bolt.example', selector: 'x', private_key: vendor.private_key } }), vendor.public_key)
  t.match([theirs.holds, theirs.tags.get('d')], [true, 'bolt.example'])
  const own = { from: { name: '', address: 'keys@acme.example' }, dkim: { domain: 'bolt.example', selector: 'x', private_key: vendor.private_key } }
  t.equal(isSigned(await sent(own), house.public_key).holds, true, 'a key of another domain does not sign; the house\'s does')
  t.notMatch((await sent({ from })).toString(), /DKIM-Signature/i)
  t.throws(() => smtpTransport(server.url, config({ DKIM_DOMAIN: 'acme.example', DKIM_SELECTOR: 's1', DKIM_PRIVATE_KEY_FILE: path.join(dir, 'none.pem') })), /ENOENT/)
})

// Guarantee: a mail comes from who its sender says, is answered where it says, and its bounces go where the service wants them.
t.test('who it comes from', async (t) => {
  const server = await mailServer(t)
  const post = smtpTransport(server.url, config({ BOUNCE_ADDRESS: 'bounces@acme.example' }), brief)
  const from = { name: 'Bolt "Keys", Inc. \\', address: 'keys@bolt.example' }
  await post.send(mail({ from, reply_to: 'help@bolt.example' }), never)
  const [received] = server.mails
  const parsed = await PostalMime.parse(received?.raw ?? '')
  t.strictSame([parsed.from, parsed.replyTo], [from, [{ name: '', address: 'help@bolt.example' }]])
  t.equal(received?.from, bounceAddressFor('bounces@acme.example', 'DE-1'))
  await post.send(mail({ copy_to: 'archive@bolt.example', from }), never)
  t.strictSame([server.mails[1]?.to, (await PostalMime.parse(server.mails[1]?.raw ?? '')).to], [['archive@bolt.example'], [{ name: 'Ana Souza', address: 'ana@example.com' }]])
  t.match(await outcomeOf(post.send(mail({ copy_to: 'a@b.example, c@d.example' }), never)), { outcome: 'failed' })
  t.match(await outcomeOf(post.send(mail({ from: { name: 'x\r\nBcc: e@y.example', address: 'a@b.example' } }), never)), { outcome: 'failed' })
  t.equal(server.mails.length, 2)
})

// Guarantee: a process sends no faster than it is told.
t.test('the rate of a process', async (t) => {
  const server = await mailServer(t)
  const post = smtpTransport(server.url, config({ MAIL_RATE_PER_SECOND: '20' }), brief)
  const started = Date.now()
  await Promise.all(Array.from({ length: 11 }, () => post.send(mail(), never)))
  const ms = Date.now() - started
  t.ok(ms >= 500 && ms < 2000, `eleven mails, ten gaps of 50 ms: ${ms}`)
})

const HEAD = ['Auto-Submitted', 'Content-Type', 'Date', 'From', 'MIME-Version', 'Message-ID', 'Subject', 'To']

// Guarantee (C6): whatever the customer typed, exactly the planned headers are sent, and both parts come back as they were written.
t.test('whatever is in a mail, the head is what was planned', async (t) => {
  const server = await mailServer(t)
  const post = smtpTransport(server.url, config(), brief)
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  t.comment(`seed ${seed}`)
  const nasty = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('עִבְרִית', '\u202eabc', '👩‍👩‍👧‍👦', 'x'.repeat(2000), '=?utf-8?Q?=0D=0ABcc:_e@y?=', '"', '\\', '<e@y.example>', 'a, b <e@y.example>', '\t', ';', 'a\r\nBcc: e@y.example', 'a\nX: y'))
    .map((text) => text.replace(/[\ud800-\udfff]/gu, '?'))
  // eslint-disable-next-line no-control-regex
  const breaks = /[\x00-\x08\x0a-\x1f\x7f]/
  await fc.assert(fc.asyncProperty(nasty, nasty, nasty, async (name, subject, text) => {
    server.mails.length = 0
    const got = await outcomeOf(post.send(mail({ to: { name, address: 'ana@example.com' }, subject: `S${subject}`, text: `${text}\n`, html: '<p>x</p>' }), never))
    if (breaks.test(name) || breaks.test(subject)) return got.outcome === 'failed' && server.mails.length === 0
    const [received] = server.mails
    const raw = received?.raw.toString('latin1') ?? ''
    const names = unfolded(raw.slice(0, raw.indexOf('\r\n\r\n'))).map((line) => line.slice(0, line.indexOf(':'))).sort()
    const parsed = await PostalMime.parse(received?.raw ?? '')
    const plain = text.replace(/\r\n?/g, '\n')
    return got.outcome === 'sent' && names.join() === HEAD.join() && received?.to.join() === 'ana@example.com' && raw.split('\r\n').every((line) => line.length <= 998) &&
      // eslint-disable-next-line no-control-regex
      (/[\x00-\x08\x0b-\x1f\x7f]/.test(text) || parsed.text?.trimEnd() === plain.trimEnd()) && parsed.html?.trim() === '<p>x</p>'
  }), { seed, numRuns: process.env['THOROUGH'] === undefined ? 150 : 3000 })
  t.pass('held')
  post.close?.()
})
