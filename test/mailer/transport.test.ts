import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import PostalMime from 'postal-mime'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { fileTransport, MailRefused, smtpTransport, type Mail, type Timeouts } from '../../src/mailer/transport.js'
import { brokenMailServer, closedPort, mailServer } from '../support/smtp.js'

const FROM = readConfig({ MAIL_FROM: 'Acme Keys <keys@acme.example>' })
const never = new AbortController().signal
const brief: Timeouts = { connection: 500, greeting: 200, socket: 300, whole: 5000, idle: 1000 }

const mail = (over: Partial<Mail> = {}): Mail => ({
  id: 'DE-1', message_id: '<DE-1@acme.example>', to: { name: 'Ana Souza', address: 'ana@example.com' }, subject: 'Your key', text: 'Key: ABCD\n', html: '<p>ABCD</p>', ...over,
})

/** How a mail that could not be handed over was refused. */
async function refused (sending: Promise<unknown>): Promise<{ outcome: string, answer: string }> {
  try {
    await sending
  } catch (error) {
    if (error instanceof MailRefused) return { outcome: error.outcome, answer: error.answer }
    throw error
  }
  throw new Error('the mail was handed over')
}

const headOf = (raw: Buffer): string => raw.toString().split('\r\n\r\n')[0] ?? ''

// Guarantee: the server gets one recipient and a mail with our Message-ID, Auto-Submitted, a text and an HTML part.
t.test('what arrives', async (t) => {
  const server = await mailServer(t)
  const answer = await smtpTransport(server.url, FROM).send(mail(), never)
  t.match(answer, /^250 /)
  const [received] = server.mails
  t.strictSame([received?.from, received?.to], ['keys@acme.example', ['ana@example.com']])
  const parsed = await PostalMime.parse(received?.raw ?? '')
  t.strictSame(parsed.from, { name: 'Acme Keys', address: 'keys@acme.example' })
  t.strictSame(parsed.to, [{ name: 'Ana Souza', address: 'ana@example.com' }])
  t.strictSame([parsed.messageId, parsed.subject, parsed.text, parsed.html], ['<DE-1@acme.example>', 'Your key', 'Key: ABCD\n\n', '<p>ABCD</p>\n'])
  t.equal(parsed.headers.find(({ key }) => key === 'auto-submitted')?.value, 'auto-generated')
})

// Guarantee: a key comes back from the mail byte for byte, whatever it is made of, and is nowhere in the head.
t.test('keys survive the encoding', async (t) => {
  const server = await mailServer(t)
  const keys = ['ABCD-EFGH', 'cafe\u0301', 'caf\u00e9', '=1+1', '=3D=20', '00012', 'a  b\tc', 'trailing ', '.', '..', '.leading dot', 'From here', '-- ', '日本語キー', '😀',
    'x'.repeat(4096), `${'long words '.repeat(300)}end`, 'é'.repeat(2000), 'https://x.example/d?a=1&b=%20', '"quoted" \\back\\', '--boundary', 'tab at end\t']
  for (const key of [...keys, keys.join('\n')]) {
    await smtpTransport(server.url, FROM).send(mail({ text: `Key:\n${key}\nend\n`, html: `<code>${key.length}</code>` }), never)
    const raw = server.mails.at(-1)?.raw ?? Buffer.alloc(0)
    t.equal((await PostalMime.parse(raw)).text?.trimEnd(), `Key:\n${key}\nend`, key.slice(0, 30))
    t.ok(raw.toString('latin1').split('\r\n').every((line) => line.length <= 998), 'no line is too long for SMTP')
    if (key.length > 5) t.notOk(headOf(raw).includes(key))
  }
})

// Guarantee (C3): text that names anybody else reaches nobody, and no connection is opened for it.
t.test('hostile recipients', async (t) => {
  const server = await mailServer(t)
  const hostile = [
    'buyer@x.example, evil@y.example', '"x" <evil@y.example>, buyer@x.example', 'g:evil@y.example,buyer@x.example;', 'buyer@x.example<evil@y.example>',
    '<evil@y.example>buyer@x.example', 'buyer@x.example evil@y.example', 'buyer@x.example;evil@y.example', 'Buyer <evil@y.example>', 'buyer@x.example\r\nBcc: evil@y.example',
    'buyer@x.example>\r\nRCPT TO:<evil@y.example', 'buyer@x.example\0@y.example', '"buyer@x.example"@y.example', 'buyer@x.example(evil@y.example)', 'buyer@x.example\n,evil@y.example',
  ]
  for (const address of hostile) {
    const { outcome } = await refused(smtpTransport(server.url, FROM).send(mail({ to: { name: '', address } }), never))
    t.equal(outcome, 'failed', JSON.stringify(address))
  }
  t.strictSame([server.recipients, server.mails], [[], []])
  await smtpTransport(server.url, FROM).send(mail({ to: { name: 'evil@y.example, "x" <evil2@y.example>', address: 'buyer@x.example' } }), never)
  t.strictSame(server.recipients, ['buyer@x.example'], 'a name is never read as an address')
})

// Guarantee (C6): nothing that could start another header is taken as part of one.
t.test('header injection', async (t) => {
  const server = await mailServer(t)
  for (const evil of ['x\r\nBcc: evil@y.example', 'x\nBcc: evil@y.example', 'x\rBcc: evil@y.example', 'x\0']) {
    for (const over of [{ subject: evil }, { to: { name: evil, address: 'ana@example.com' } }, { message_id: evil }]) {
      t.equal((await refused(smtpTransport(server.url, FROM).send(mail(over), never))).outcome, 'failed', JSON.stringify(over))
    }
  }
  t.strictSame(server.mails, [])
  await smtpTransport(server.url, FROM).send(mail({ subject: '=?utf-8?Q?x=0D=0ABcc:_evil@y.example?=', to: { name: '=?utf-8?Q?a=0D=0AX:_y?=', address: 'ana@example.com' } }), never)
  const names = headOf(server.mails[0]?.raw ?? Buffer.alloc(0)).split('\r\n').map((line) => /^([\w-]+):/.exec(line)?.[1]).filter((name) => name !== undefined)
  t.strictSame(names.sort(), ['Auto-Submitted', 'Content-Type', 'Date', 'From', 'MIME-Version', 'Message-ID', 'Subject', 'To'])
})

// Guarantee: an object in place of a text, which nodemailer would read as a file to send, is not read.
t.test('a text that names a file', async (t) => {
  const server = await mailServer(t)
  for (const over of [{ text: { path: '/etc/hostname' } }, { html: { href: 'http://127.0.0.1/' } }]) {
    await refused(smtpTransport(server.url, FROM).send(mail(over as never), never))
  }
  t.strictSame(server.mails, [])
})

// Guarantee (C5): what concerns the mail bounces for good; what concerns the server, the line or us is tried again.
t.test('refusals', async (t) => {
  const server = await mailServer(t)
  const send = (): Promise<{ outcome: string, answer: string }> => refused(smtpTransport(server.url, FROM, brief).send(mail(), never))
  server.faults.rcpt = () => ({ code: 550, text: '5.1.1 no such user' })
  t.strictSame(await send(), { outcome: 'bounced', answer: '550 5.1.1 no such user' })
  server.faults.rcpt = () => ({ code: 451, text: '4.7.1 greylisted' })
  t.strictSame(await send(), { outcome: 'deferred', answer: '451 4.7.1 greylisted' })
  server.faults.rcpt = undefined
  server.faults.data = () => ({ code: 554, text: '5.7.1 spam' })
  t.strictSame(await send(), { outcome: 'bounced', answer: '554 5.7.1 spam' })
  server.faults.data = () => ({ code: 452, text: '4.3.1 disk full' })
  t.equal((await send()).outcome, 'deferred')

  const locked = await mailServer(t, { authOptional: true, onAuth: (_auth, _session, done) => { done(new Error('no')) }, allowInsecureAuth: true, authMethods: ['PLAIN'] })
  const url = locked.url.replace('smtp://', 'smtp://us:wrong@')
  t.match(await refused(smtpTransport(url, FROM, brief).send(mail(), never)), { outcome: 'deferred', answer: /^535/ }, 'our password is not the mail\'s fault')
  t.match(await refused(smtpTransport(await closedPort(), FROM, brief).send(mail(), never)), { outcome: 'deferred' })
  const reset = await brokenMailServer(t, 'reset after data')
  t.match(await refused(smtpTransport(reset.url, FROM, brief).send(mail(), never)), { outcome: 'deferred' })
  t.equal(reset.bodies.length, 1, 'and it is not sent again by itself')
})

// Guarantee: a server that says nothing is left after the greeting timeout, and at once when the worker stops.
t.test('a server that never greets', async (t) => {
  const server = await brokenMailServer(t, 'never greets')
  t.match(await refused(smtpTransport(server.url, FROM, brief).send(mail(), never)), { outcome: 'deferred' })
  const stop = new AbortController()
  const sending = refused(smtpTransport(server.url, FROM, { ...brief, greeting: 60_000, socket: 60_000 }).send(mail(), stop.signal))
  stop.abort()
  t.match(await sending, { outcome: 'deferred' })
  t.match(await refused(smtpTransport(server.url, FROM, { connection: 60_000, greeting: 60_000, socket: 60_000, whole: 200, idle: 1000 }).send(mail(), never)), { outcome: 'deferred' })
})

// Guarantee: without a mail server each mail is a file of its own, whole, readable by its owner only.
t.test('mails as files', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'mails-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const mails = path.join(dir, 'data', 'mail')
  const files = fileTransport(mails, FROM)
  t.equal(await files.send(mail(), never), 'kept as DE-1.eml')
  await files.send(mail({ text: 'again\n' }), never)
  t.strictSame(await readdir(mails), ['DE-1.eml'], 'no partial file is left')
  t.equal((await stat(path.join(mails, 'DE-1.eml'))).mode & 0o777, 0o600)
  t.equal((await stat(mails)).mode & 0o777, 0o700)
  const parsed = await PostalMime.parse(await readFile(path.join(mails, 'DE-1.eml')))
  t.strictSame([parsed.text, parsed.to?.[0]?.address], ['again\n\n', 'ana@example.com'])
  t.equal((await refused(files.send(mail({ to: { name: '', address: 'a@x, b@y' } }), never))).outcome, 'failed')
  t.match(await refused(fileTransport(path.join(mails, 'DE-1.eml', 'mail'), FROM).send(mail(), never)), { outcome: 'deferred' })
})
