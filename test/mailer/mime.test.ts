import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import MailComposer from 'nodemailer/lib/mail-composer'
import PostalMime from 'postal-mime'
import t from 'tap'
import { bytesOf } from '../../src/mailer/mime.js'

const RUNS = process.env['THOROUGH'] === undefined ? 400 : 20_000
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

const LINE_BREAKS = ['\n', '\r\n', '\r', '\n\n', '\r\r\n', '.\n', '\n.\r\n', '--\n']
const piece = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 90 }),
  fc.constantFrom(...LINE_BREAKS, ' ', '\t', '=', 'ß', '😀', 'مرحبا', 'a'.repeat(75), 'b'.repeat(76), 'ü'.repeat(200), 'w '.repeat(60), 'x'.repeat(1200), '--_NmP'))
const text = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join('')).filter((whole) => whole !== '')

/** With each text of quoted-printable in one piece: where its lines are broken may differ. */
const unbroken = (bytes: Buffer): string => bytes.toString('latin1').replaceAll('=\r\n', '')
const encodingsIn = (bytes: Buffer): string[] => [...bytes.toString('latin1').matchAll(/^Content-Transfer-Encoding: (\S+)/gm)].map(([, used]) => used!)

t.test('what is written is what nodemailer streams', async (t) => {
  t.comment(`SEED=${SEED}`)
  const encodings = new Set<string>()
  const parts = fc.record({ subject: text.map((whole) => whole.slice(0, 400)), text, html: text })
  await fc.assert(fc.asyncProperty(parts, fc.constantFrom({}, {}, { encoding: 'quoted-printable' }, { encoding: 'base64' }), async (parts, encoding) => {
    const [from, to] = [{ name: 'Acme', address: 'sales@acme.example' }, { name: 'Ana', address: 'ana@example.com' }]
    const node = new MailComposer({ from, to, ...parts, ...encoding, newline: '\r\n', disableFileAccess: true, disableUrlAccess: true }).compile()
    const [own, streamed] = [bytesOf(node), await node.build()]
    for (const used of encodingsIn(own)) encodings.add(used)
    if (encodingsIn(own).every((used) => used !== 'quoted-printable')) return own.equals(streamed)
    const said = async (bytes: Buffer): Promise<unknown> => {
      const { subject, text, html } = await PostalMime.parse(bytes)
      return { subject, text, html }
    }
    return unbroken(own) === unbroken(streamed) && isDeepStrictEqual(await said(own), await said(streamed)) && own.toString('latin1').split('\r\n').every((line) => line.length <= 998)
  }), { numRuns: RUNS, seed: SEED })
  t.same([...encodings].sort(), ['7bit', 'base64', 'quoted-printable'], 'all encodings were seen')
})
