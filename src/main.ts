#!/usr/bin/env node
// The command line of Latchkey: one process, or one command of its operator.
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { Refused } from './commands/refused.js'
import { ConfigError, readConfig } from './config.js'
import { Problem } from './problems.js'
import { newKeyMaterial } from './sealing.js'
import { version } from './version.js'

const USAGE = `usage: latchkey <command>

  serve                  the API and the worker in one process (default); migrates its database, brings
                         its own PostgreSQL when DATABASE_URL is unset
  api                    the API alone
  worker                 the worker alone
  migrate                bring the database up to date
  bootstrap [--json]     make the first operator and vendor of a given database, and print their API keys
  seed [--json]          make a sample vendor, a provider and products to request, and print their ids and API keys;
                         each time a new set
  keys                   print new key material for LATCHKEY_KEYS
  load <pool> <file>     load a file of licenses, one per line (.csv and .json are read as such)
       [--strict]        refuse all if one line is bad
       [--expires-at <date>]
                         until when those are good that do not say so themselves
       [--dry-run]       change nothing
  import <file> --from <system> --pool <pool>
                         import licenses that another system exported: lmfwc, wcsn, keygen or txt
       [--with-sold]     know the sold ones too, so that they are never sold again
       [--dry-run]       change nothing
  recall <batch> --reason <text>
                         withdraw what is unsold of a batch, and replace what was sold
       [--dry-run]       only say what it would do
  replay --source <id> --from <moment>
                         process the payment events of a source, received since then, again
       [--to <moment>] [--status <status>] [--type <type>]
  reconcile --source <id> --file <file>
                         say which order ids of a checkout, one per line, are no orders here
  fsck [--open]          check every invariant of the database; --open opens every sealed license too

  --help, --version

Settings come from the environment: PORT, HOST, DATABASE_URL, SMTP_URL, DATA_DIR, PUBLIC_URL, LOG_LEVEL,
LATCHKEY_KEYS and more, see docs/configuration.md.
`

/** What was typed is not a command: the usage is printed, and the exit code is 2. */
class UsageError extends Error {}

interface Command {
  /** names of the arguments that must follow */
  arguments?: readonly string[]
  options?: readonly string[]
  /** names of options that have a value and must be given */
  values?: readonly string[]
  /** and of those that may be left out */
  optional?: readonly string[]
  /** resolves to the exit code, or to nothing when it is 0 or the process goes on. `values`: of the options that have one */
  run (args: readonly string[], flags: ReadonlySet<string>, values: Readonly<Record<string, string>>): Promise<number | void>
}

const serve = async (role: 'serve' | 'api' | 'worker'): Promise<void> => (await import('./commands/serve.js')).serveCommand(readConfig(), role)

/** Each loads what it needs only when it runs: a mistake is answered at once. */
const commands: Record<string, Command> = {
  serve: { run: () => serve('serve') },
  api: { run: () => serve('api') },
  worker: { run: () => serve('worker') },
  migrate: { run: async () => (await import('./commands/migrate.js')).migrateCommand(readConfig()) },
  bootstrap: {
    options: ['json'],
    run: async (_args, flags) => (await import('./commands/bootstrap.js')).bootstrapCommand(readConfig(), { json: flags.has('json') }),
  },
  seed: {
    options: ['json'],
    run: async (_args, flags) => (await import('./commands/seed.js')).seedCommand(readConfig(), { json: flags.has('json') }),
  },
  keys: { run: async () => { console.log(newKeyMaterial()) } },
  load: {
    arguments: ['pool', 'file'],
    options: ['strict', 'dry-run'],
    optional: ['expires-at'],
    run: async ([pool_id = '', file = ''], flags, { 'expires-at': expires_at }) => (await import('./commands/load.js'))
      .loadCommand(readConfig(), { pool_id, file, expires_at, strict: flags.has('strict'), dry_run: flags.has('dry-run') }),
  },
  import: {
    arguments: ['file'],
    options: ['with-sold', 'dry-run'],
    values: ['from', 'pool'],
    run: async ([file = ''], flags, { from = '', pool: pool_id = '' }) => (await import('./commands/import.js'))
      .importCommand(readConfig(), { from, pool_id, file, with_sold: flags.has('with-sold'), dry_run: flags.has('dry-run') }),
  },
  recall: {
    arguments: ['batch'],
    options: ['dry-run'],
    values: ['reason'],
    run: async ([batch_id = ''], flags, { reason = '' }) => (await import('./commands/recall.js'))
      .recallCommand(readConfig(), { batch_id, reason, dry_run: flags.has('dry-run') }),
  },
  replay: {
    values: ['source', 'from'],
    optional: ['to', 'status', 'type'],
    run: async (_args, _flags, { source: source_id = '', from = '', to, status, type }) => (await import('./commands/replay.js'))
      .replayCommand(readConfig(), { source_id, from, to, status, type }),
  },
  reconcile: {
    values: ['source', 'file'],
    run: async (_args, _flags, { source: source_id = '', file = '' }) => (await import('./commands/reconcile.js')).reconcileCommand(readConfig(), { source_id, file }),
  },
  fsck: {
    options: ['open'],
    run: async (_args, flags) => (await import('./commands/fsck.js')).fsckCommand(readConfig(), { open: flags.has('open') }),
  },
}

function parse (argv: string[]): { command: Command, args: string[], flags: Set<string>, values: Record<string, string> } {
  const name = argv[0]?.startsWith('-') === false ? argv[0] : 'serve'
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) throw new UsageError(`there is no command "${name}"`)
  const needed = command.values ?? []
  const valued = [...needed, ...command.optional ?? []]
  const options: ParseArgsConfig['options'] = Object.fromEntries([
    ...(command.options ?? []).map((option) => [option, { type: 'boolean' }]), ...valued.map((option) => [option, { type: 'string' }]),
  ])
  let parsed: { positionals: string[], values: object }
  try {
    parsed = parseArgs({ args: name === argv[0] ? argv.slice(1) : argv, options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  const wanted = command.arguments ?? []
  if (parsed.positionals.length !== wanted.length) throw new UsageError(`${name} takes ${wanted.length === 0 ? 'no arguments' : wanted.map((argument) => `<${argument}>`).join(' ')}`)
  const values = Object.fromEntries(Object.entries(parsed.values).filter(([option]) => valued.includes(option))) as Record<string, string>
  const missing = needed.filter((option) => values[option] === undefined)
  if (missing.length > 0) throw new UsageError(`${name} needs ${missing.map((option) => `--${option}`).join(' and ')}`)
  return { command, args: parsed.positionals, flags: new Set(Object.keys(parsed.values)), values }
}

async function main (argv: string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(USAGE)
    return 0
  }
  if (argv.includes('--version')) {
    console.log(version())
    return 0
  }
  try {
    const { command, args, flags, values } = parse(argv)
    return await command.run(args, flags, values) ?? 0
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`latchkey: ${error.message}\n\n${USAGE}`)
      return 2
    }
    // what a person can mend is said in a sentence; anything else is a bug, and its stack is wanted
    const expected = error instanceof Refused || error instanceof ConfigError || error instanceof Problem
    console.error(expected ? `latchkey: ${error.message}` : error)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
