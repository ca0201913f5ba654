import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { RETRY_DELAYS_MS } from '../src/deliveries/schedule.js'
import { problems } from '../src/problems.js'
import { MOVES, type Move } from '../src/requests/transitions.js'
import { MOVES as TIER_MOVES } from '../src/tiers/config-requests/transitions.js'
import { NOVENTIQ_EVENTS, TOLD } from '../src/webhooks/told.js'
import { sdk } from './support/sdk.js'

const documents = [
  ...readdirSync('.').filter((file) => file.endsWith('.md')),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md')).map((file) => path.join('docs', file)),
  ...readdirSync('bench').filter((file) => file.endsWith('.md')).map((file) => path.join('bench', file)),
]
const read = (file: string): string => readFileSync(file, 'utf8')

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(' ', '-')
const anchorsOf = (file: string): Set<string> => new Set([...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading)))

// Guarantee: the `type` of every refusal leads to its section, with its status, code and title; no section is of one that is gone.
t.test('docs/problems.md has every problem', async (t) => {
  const sections = [...read('docs/problems.md').matchAll(/^## (\S+)\n(\d+), `(\w+)`\. (.+)$/gm)]
  t.same(sections.map(([, type]) => type), Object.keys(problems), 'in the order of the table')
  for (const [, type = '', status, error_code, text = ''] of sections) {
    const problem = problems[type as keyof typeof problems]
    t.same({ status: Number(status), error_code }, { status: problem.status, error_code: problem.error_code }, type)
    t.ok(text.startsWith(problem.title.replace(/\.$/, '')), `${type}: its title`)
  }
})

// Guarantee: every setting is explained and listed, and nothing is that no longer exists.
t.test('docs/configuration.md and .env.example have every environment variable', async (t) => {
  const source = read('src/config.ts')
  const known = new Set([...source.matchAll(/env\['([A-Z_]+)'\]|\(env, '([A-Z_]+)'/g)].map(([, read, checked]) => read ?? checked))
  t.ok(known.size > 15, 'the settings were read')
  const compose = new Set([...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name))
  const explained = [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
  t.same(explained.sort(), [...known].sort(), 'docs/configuration.md')
  const listed = [...read('.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name)
  t.same(listed.sort(), [...known].concat([...compose].filter((name) => !known.has(name))).sort(), '.env.example, with what docker-compose.yml reads')
})

// Guarantee: no link within the documents leads nowhere.
t.test('links', async (t) => {
  let links = 0
  for (const file of documents) {
    const text = read(file).replace(/```.*?```/gs, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const [to = '', anchor] = target.split('#')
      const found = to === '' ? file : path.join(path.dirname(file), to)
      if (!existsSync(found)) t.fail(`${file}: there is no ${target}`)
      else if (anchor !== undefined && !anchorsOf(found).has(anchor)) t.fail(`${file}: ${found} has no section #${anchor}`)
    }
  }
  t.ok(links > 20, `${links} links lead somewhere`)
})

// Guarantee: what the documents tell to run exists: npm scripts, files of test/, bench/ and scripts/, commands of latchkey, checks.
t.test('what is to be run', async (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const usage = read('src/main.ts')
  for (const file of documents) {
    const text = read(file)
    for (const [, name = ''] of text.matchAll(/npm run (?:--silent )?([a-z-]+)/g)) t.ok(name in scripts, `${file}: npm run ${name}`)
    for (const [, name = ''] of text.matchAll(/npm (start|test)\b/g)) t.ok(name in scripts, `${file}: npm ${name}`)
    for (const [, name = ''] of text.matchAll(/(?:`|^|run (?:--silent )?)latchkey ([a-z]+)/gm)) t.match(usage, new RegExp(`^ {2}${name}\\b`, 'm'), `${file}: latchkey ${name}`)
    for (const [name] of text.matchAll(/\b(?:src|test|bench|scripts|migrations)\/[\w/-]+\.(?:ts|sql|md)\b/g)) {
      if (file !== 'CONTRIBUTING.md') t.ok(existsSync(name), `${file}: ${name}`)
    }
  }
})

// Guarantee: docs/promises.md names tests that exist, by their file and their name.
t.test('the tests of the promises', async (t) => {
  const named = [...read('docs/promises.md').matchAll(/`(test\/[\w/.-]+\.test\.ts)`((?:,? “[^”]+”)*)/g)]
  t.ok(named.length > 30, 'they were read')
  for (const [, file = '', names = ''] of named) {
    const text = existsSync(file) ? read(file) : ''
    for (const [, name = ''] of names.matchAll(/“([^”]+)”/g)) t.ok(text.includes(`'${name}'`), `${file} “${name}”`)
  }
})

// Guarantee: the diagrams of requests draw every move that the tables in code have, by its verb, and no other.
t.test('the diagrams of docs/lifecycles.md', async (t) => {
  const diagrams: Array<[section: string, moves: readonly Move[]]> = [['Request', MOVES], ['Tier configuration request', TIER_MOVES]]
  for (const [section, moves] of diagrams) {
    const [, text = ''] = read('docs/lifecycles.md').split(`\n## ${section}\n`)
    const drawn = [...text.split('\n## ')[0]!.matchAll(/^ {2}(\w+) --> (\w+): (.+)$/gm)]
      .flatMap(([, from, to, verbs = '']) => verbs.split(', ').map((verb) => `${from} → ${to} by ${verb}`))
    t.same(drawn.sort(), moves.flatMap(({ verb, from, to }) => to.map((status) => `${from} → ${status} by ${verb}`)).sort(), section)
  }
})

// Guarantee: docs/connect-compatibility.md has a word on every method of the official client's classes, and each is called by a test.
t.test('the methods of the official client', async (t) => {
  const page = read('docs/connect-compatibility.md')
  const tests = readdirSync('test/connect').map((file) => read(path.join('test/connect', file))).join('\n')
  for (const name of ['Fulfillment', 'Directory', 'Inventory', 'Subscriptions']) {
    const { prototype } = sdk[name] as { prototype: object }
    const methods = Object.getOwnPropertyNames(prototype).filter((method) => method !== 'constructor')
    t.ok(methods.length > 5, name)
    t.same(methods.filter((method) => !new RegExp(`\\b${method}\\b`).test(page)), [], `${name}: documented`)
    t.same(methods.filter((method) => !tests.includes(`.${method}(`)), [], `${name}: called`)
  }
})

// Guarantee: every event that a webhook can choose is in the table that says when it is told.
t.test('what webhooks are told', (t) => {
  const told = new Set([...read('docs/webhooks.md').matchAll(/^\| (`[a-z._]+`(?:, `[a-z._]+`)*) \|/gm)].flatMap(([, events = '']) => events.match(/[a-z._]+/g) ?? []))
  for (const event of [...Object.values(TOLD).flat(), ...NOVENTIQ_EVENTS]) t.ok(told.has(event), event)
  t.end()
})

const SECONDS: Record<string, number> = { s: 1, min: 60, h: 3600, d: 86_400 }
const secondsOf = (text: string): number => [...text.matchAll(/(\d+) (s|min|h|d)\b/g)].reduce((sum, [, n = '', unit = '']) => sum + Number(n) * (SECONDS[unit] ?? 0), 0)

// Guarantee: the table of docs/mail.md is the schedule that mails are tried by: each wait, and when it comes, to the minute.
t.test('the schedule of docs/mail.md', (t) => {
  const rows = [...read('docs/mail.md').matchAll(/^\| (\d+)(?: to (\d+))? \| ([^|]+) \| ([^|]*)\|$/gm)]
  const waits = rows.flatMap(([, from = '', to = from, wait = '']) => Array<string>(Number(to) - Number(from) + 1).fill(wait))
  t.same(waits.slice(0, -1).map((wait) => secondsOf(wait) * 1000), RETRY_DELAYS_MS)
  t.match(waits.at(-1), /^never/)
  for (const [, from = '', to = from, , since = ''] of rows.slice(0, -1)) {
    const sum = RETRY_DELAYS_MS.slice(0, Number(to)).reduce((total, delay) => total + delay, 0) / 1000
    t.ok(Math.abs(secondsOf(since) - sum) < 60, `after ${to} tries: ${since}`)
  }
  t.end()
})
