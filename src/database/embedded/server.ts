import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { alive } from './owner.js'
import type { Ids } from './binaries.js'

interface Cluster { bin: string, dataDir: string, ids: Ids, ephemeral: boolean, log: (message: string) => void }

const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Stops postgres when its stdin closes: so the server never outlives this process, not even one killed with SIGKILL. */
const KEEPER = 'exec 3<&0; "$@" </dev/null 3<&- & pid=$!; { read -r _ <&3; kill -INT "$pid"; } 2>/dev/null & wait "$pid"'

/** For a small machine that does other work too. The durable settings are written out, so that no file can turn them off. */
const SETTINGS = {
  shared_buffers: '128MB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  max_wal_size: '1GB',
  jit: 'off', // compiling costs more than it saves on statements of a millisecond
  log_min_messages: 'warning',
  log_min_error_statement: 'panic', // a statement in the log may hold what must not be there
  log_parameter_max_length_on_error: '0',
  unix_socket_permissions: '0700',
  listen_addresses: '',
}
const DURABLE = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' }
const EPHEMERAL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' }

/** Waits for a server that its killed owner left, up to 10 s; postgres itself refuses to start beside one that stays. */
export async function stopLeftover (dataDir: string): Promise<void> {
  const pidFile = path.join(dataDir, 'postmaster.pid')
  for (let tries = 0; tries < 100 && fs.existsSync(pidFile); tries++) {
    const pid = Number(fs.readFileSync(pidFile, 'utf8').split('\n')[0])
    if (!(pid > 0) || !alive(pid) || !runsIn(pid, dataDir)) return
    if (tries === 0) process.kill(pid, 'SIGINT') // its keeper does so too, if it is still there
    await sleep(100)
  }
}

/** False for a process that merely has the pid of a server long gone. Without /proc it cannot be told, and is left alone. */
function runsIn (pid: number, dataDir: string): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`) === fs.realpathSync(dataDir)
  } catch {
    return false
  }
}

/** Refuses a cluster directory that somebody else put there: root is about to trust it. */
function checkOwner (dataDir: string, { uid }: Ids): void {
  const stat = fs.lstatSync(dataDir)
  const mine = [process.getuid?.(), uid]
  if (stat.isDirectory() && mine.includes(stat.uid)) return
  throw new Error(`${dataDir} is not a directory of user ${mine.filter((id) => id !== undefined).join(' or ')}: choose another DATA_DIR`)
}

/** Makes the cluster if there is none: beside its place and then moved there, so that one half made is never taken for one. */
export async function initialize ({ bin, dataDir, ids, ephemeral, log }: Cluster): Promise<void> {
  if (fs.existsSync(dataDir)) {
    checkOwner(dataDir, ids)
    if (fs.readdirSync(dataDir).length > 0) return
    fs.rmdirSync(dataDir)
  }
  log(`creating a PostgreSQL cluster in ${dataDir}`)
  const parent = path.dirname(dataDir)
  const prefix = `${path.basename(dataDir)}.new-`
  for (const name of fs.readdirSync(parent)) {
    if (name.startsWith(prefix)) fs.rmSync(path.join(parent, name), { recursive: true, force: true })
  }
  const draft = fs.mkdtempSync(path.join(parent, prefix))
  if (ids.uid !== undefined) fs.chownSync(draft, ids.uid, ids.gid ?? ids.uid)
  const options = ['-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', ...(ephemeral ? ['--no-sync'] : [])]
  await run(path.join(bin, 'initdb'), ['-D', draft, ...options], ids)
  fs.renameSync(draft, dataDir)
}

function run (command: string, args: string[], ids: Ids): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...ids, env: ENVIRONMENT, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => { output += data.toString() })
    child.on('error', reject)
    child.on('close', (code) => { code === 0 ? resolve() : reject(new Error(`${path.basename(command)} failed (${code}): ${output.trim()}`)) })
  })
}

/**
 * Runs the server and, should it be killed, runs it again. `failure` says why it ended before it was ever ready.
 * Its log is appended to `logFile`.
 */
export function keep (
  { bin, dataDir, ids, ephemeral, log, ...run }: Cluster & { maxConnections: number, socketDir: string, logFile: string }
): { failure: () => string | undefined, stop: () => Promise<void> } {
  const settings = {
    ...SETTINGS, ...(ephemeral ? EPHEMERAL : DURABLE), max_connections: String(run.maxConnections), unix_socket_directories: run.socketDir,
  }
  const args = ['-D', dataDir, '-p', '5432', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const start = (): { child: ChildProcess, exited: Promise<void> } => {
    const output = fs.openSync(run.logFile, 'a', 0o600)
    // its own process group: a Ctrl-C at the terminal is for this process, which stops the server last
    const child = spawn('/bin/sh', ['-c', KEEPER, 'sh', path.join(bin, 'postgres'), ...args],
      { ...ids, env: ENVIRONMENT, cwd: '/', detached: true, stdio: ['pipe', output, output] })
    fs.closeSync(output)
    child.stdin?.on('error', () => {}) // closed on the other side: it is gone already
    const exited = new Promise<void>((resolve) => { child.once('exit', () => { resolve() }).once('error', () => { resolve() }) })
    return { child, exited }
  }
  let running = start()
  let stopping = false
  let endings = 0
  const ended = (async () => {
    for (;;) {
      await running.exited
      if (stopping) return
      endings++
      log('the embedded PostgreSQL ended unasked and is started again')
      await sleep(200) // its last backends may hold the directory for a moment
      if (stopping) return
      running = start()
    }
  })()
  return {
    // a killed predecessor's backends may refuse us the directory once or twice
    failure: () => endings < 10 ? undefined : fs.readFileSync(run.logFile, 'utf8').slice(-2000).trim(),
    async stop () {
      stopping = true
      running.child.stdin?.end()
      await ended
    },
  }
}
