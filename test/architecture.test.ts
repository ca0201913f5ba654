import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

interface Import { from: string, to: string }

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).sort()
const text = new Map(files.map((file) => [file, readFileSync(path.join('src', file), 'utf8')]))
const imports: Import[] = files.flatMap((from) =>
  [...(text.get(from) ?? '').matchAll(/^(?:import|export) [^'"]*?from '([^']+)'/gms)].map(([, to = '']) => ({
    from, to: to.startsWith('.') ? path.join(path.dirname(from), to.replace(/\.js$/, '.ts')) : to,
  })))

const folder = (file: string): string => file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
const isRoutes = (file: string): boolean => /(^|\/)([a-z]+-)?routes\.ts$/.test(file)
const isSchema = (file: string): boolean => /\/(schema|permissions)\.ts$/.test(file)
const isVerb = (file: string): boolean => resources.includes(folder(file)) && !isRoutes(file) && !isSchema(file)
const resources = [
  'accounts', 'products', 'distribution', 'pools', 'licenses', 'words', 'holds', 'supplies', 'orders', 'order-page', 'payments', 'parameters', 'tiers', 'assets', 'requests', 'recalls', 'subscriptions',
  'conversations', 'webhooks', 'deliveries', 'events', 'erasures', 'alerts',
]
const calledInTransaction = ['deliveries/plan.ts', 'deliveries/replan.ts', 'deliveries/wake.ts']

/** From high to low: a verb imports verbs of its own resource or of a lower one. */
const line = ['erasures', 'payments', 'subscriptions', 'requests', 'assets', 'tiers', 'recalls', 'parameters', 'order-page', 'orders', 'supplies', 'holds', 'words', 'licenses', 'pools', 'events']

const rules: Array<[sentence: string, broken: (edge: Import) => boolean]> = [
  ['only routes, plugins, app and the command that serves know fastify', ({ from, to }) =>
    /^(fastify|@fastify\/)/.test(to) && !isRoutes(from) && folder(from) !== 'plugins' && from !== 'app.ts' && from !== 'commands/serve.ts'],
  ['only mailer/compose.ts, mime.ts and smtp-line.ts know nodemailer', ({ from, to }) => /^nodemailer/.test(to) && !['mailer/compose.ts', 'mailer/mime.ts', 'mailer/smtp-line.ts'].includes(from)],
  ['only database/ knows pg, and orders/intake.ts and take-in.ts, whose statement is not Kysely\'s', ({ from, to }) =>
    /^pg(-copy-streams)?$/.test(to) && folder(from) !== 'database' && !['orders/intake.ts', 'orders/take-in.ts'].includes(from)],
  ['nobody but app, and routes of its own folder, imports routes', ({ from, to }) => isRoutes(to) && from !== 'app.ts'],
  ['nobody but main and the commands imports app or worker, and nobody but worker what is in worker/', ({ from, to }) =>
    (['app.ts', 'worker.ts'].includes(to) && folder(from) !== 'commands' && from !== 'main.ts') || (folder(to) === 'worker' && folder(from) !== 'worker' && from !== 'worker.ts')],
  ['a verb imports verbs of its own resource, or of one further down the line erasures, payments, subscriptions, requests, assets, tiers, recalls, parameters, order-page, orders, supplies, holds, words, licenses, pools, events', ({ from, to }) =>
    isVerb(from) && isVerb(to) && line.includes(folder(from)) && line.includes(folder(to)) && line.indexOf(folder(to)) < line.indexOf(folder(from))],
  ['deliveries import nobody\'s verbs but events/record.ts, of words what a mail is written from, and the link to the order page', ({ from, to }) =>
    folder(from) === 'deliveries' && isVerb(to) && folder(to) !== 'deliveries' && !['events/record.ts', 'words/read-sale.ts', 'words/read-words.ts', 'words/find-wrapper.ts', 'order-page/link.ts'].includes(to)],
  ['nobody imports the verbs of deliveries but plan, replan and wake; routes may resend, the order page lists what mails say, mails of alerts have the same schedule', ({ from, to }) =>
    isVerb(to) && folder(to) === 'deliveries' && !['deliveries', 'worker'].includes(folder(from)) && from !== 'worker.ts' && !calledInTransaction.includes(to) &&
    !(isRoutes(from) && to === 'deliveries/resend.ts') && !(['order-page', 'words'].includes(folder(from)) && to === 'deliveries/spoken-lines.ts') &&
    !(folder(from) === 'alerts' && to === 'deliveries/schedule.ts')],
  ['alerts import nobody\'s verbs but events/record.ts, the mark of takes and how mails are tried again, and nobody imports theirs', ({ from, to }) =>
    (folder(from) === 'alerts' && isVerb(to) && folder(to) !== 'alerts' && !['events/record.ts', 'licenses/reshelve.ts', 'deliveries/schedule.ts'].includes(to)) ||
    (folder(to) === 'alerts' && isVerb(to) && !['alerts', 'worker'].includes(folder(from)))],
  ['accounts, products, pools, licenses, orders and deliveries know no checkout', ({ from, to }) => folder(to) === 'payments' && !['payments', 'commands', 'worker', ''].includes(folder(from))],
  ['verbs know no plugin, except that payments/ and webhooks/call-validator.ts read and check JSON with them', ({ from, to }) =>
    isVerb(from) && folder(to) === 'plugins' && !(folder(from) === 'payments' && ['plugins/json-body.ts', 'plugins/validation.ts', 'plugins/schema.ts'].includes(to)) &&
    !(from === 'webhooks/call-validator.ts' && to === 'plugins/json-body.ts')],
  ['webhooks import nobody\'s verbs but events/record.ts', ({ from, to }) =>
    folder(from) === 'webhooks' && !isRoutes(from) && isVerb(to) && folder(to) !== 'webhooks' && to !== 'events/record.ts'],
  ['nobody imports the verbs of webhooks but plan, what asks validators, and what calls others safely', ({ from, to }) =>
    isVerb(to) && folder(to) === 'webhooks' && !['webhooks', 'worker', ''].includes(folder(from)) &&
    !['webhooks/plan.ts', 'webhooks/find-target.ts', 'webhooks/call-validator.ts', 'webhooks/call.ts', 'webhooks/address.ts', 'webhooks/sign.ts'].includes(to)],
  ['only webhooks/call.ts calls others by HTTP', ({ from, to }) => /^(node:https|node:http2|undici)$/.test(to) && from !== 'webhooks/call.ts'],
  ['what all stand on stands on nothing', ({ from, to }) =>
    ['problems.ts', 'ids.ts', 'config.ts', 'sealing.ts'].includes(from) && !to.startsWith('node:') && !['database/connect.ts', 'problems.ts', 'kysely'].includes(to)],
]

// Guarantee: what may import what is what ARCHITECTURE.md says.
t.test('the import rule', async (t) => {
  t.ok(imports.length > 300, 'the imports were read')
  for (const [sentence, broken] of rules) {
    t.same(imports.filter(broken).map(({ from, to }) => `src/${from} imports ${to}`), [], sentence)
  }
})

// Guarantee: transactions begin in routes, in jobs of the worker and in the few places that ARCHITECTURE.md names; settings are read in one place.
t.test('where transactions begin, and who reads the environment', async (t) => {
  const beginning = files.filter((file) => /\b(inTransaction|insist)\(|\bonce\((app\.)?db\b|\.transaction\(\)/.test(text.get(file) ?? ''))
  const allowed = (file: string): boolean => isRoutes(file) || file === 'worker.ts' || ['commands', 'database', 'fsck', 'worker'].includes(folder(file)) ||
    ['orders/intake.ts', 'licenses/load.ts', 'webhooks/send.ts', 'alerts/send.ts', 'supplies/call.ts', 'payments/receive.ts', 'payments/answer-event.ts'].includes(file)
  t.same(beginning.filter((file) => !allowed(file)), [], 'transactions')
  t.same(files.filter((file) => /process\.env/.test(text.get(file) ?? '')), ['config.ts'], 'process.env')
})

// Guarantee: the account leads every primary key and unique constraint, so that the tables can be distributed by it: the vendor's, or the
// provider's of what is the provider's. Named exceptions: what is looked up before the account is known.
t.test('the account leads every key', async (t) => {
  const sql = readdirSync('migrations').sort().map((file) => readFileSync(path.join('migrations', file), 'utf8')).join('\n').replace(/--.*$/gm, '')
  const keys = [...sql.matchAll(/(?:primary key|unique(?: index \w+ on \w+)?)\s*\(([^)]*)\)/g)].map(([, columns = '']) => columns)
  t.ok(keys.length >= 20, 'the keys were read')
  t.same(keys.filter((columns) => !/^(account|provider)_id/.test(columns)), [])
  const inline = [...sql.matchAll(/^ {2}(\w+) [^,\n]*\b(?:primary key|unique)(?:,|$)/gm)].map(([, column]) => column)
  t.same(inline, ['id', 'id', 'id'], 'accounts, api_keys, payment_sources')
})
