import fs from 'node:fs'
import path from 'node:path'

/** Who runs the server of a data directory, and where it listens. */
export interface Owner { pid: number, socketDir: string }

/** When the process began, in clock ticks since boot: tells it from a later one with the same pid. '' where there is no /proc. */
function startOf (pid: number): string {
  try {
    // the name, in brackets, may hold spaces; the 20th field after it is starttime (proc_pid_stat(5))
    return fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

/** True for a process of any user. */
export function alive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const fileOf = (dataDir: string, generation: number): string => `${dataDir}.owner.${generation}`

/** The greatest generation of the owner files beside the data directory; 0: there is none. */
function generationsOf (dataDir: string): number[] {
  const prefix = `${path.basename(dataDir)}.owner.`
  return fs.readdirSync(path.dirname(dataDir)).filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length))).filter(Number.isInteger).sort((a, b) => b - a)
}

function read (dataDir: string, generation: number): Owner | undefined {
  let text: string
  try {
    text = fs.readFileSync(fileOf(dataDir, generation), 'utf8')
  } catch {
    return undefined
  }
  const [pid = '', start = '', socketDir = ''] = text.split('\n')
  return Number(pid) > 0 && alive(Number(pid)) && startOf(Number(pid)) === start ? { pid: Number(pid), socketDir } : undefined
}

/** The living owner of the data directory, if there is one. */
export function ownerOf (dataDir: string): Owner | undefined {
  if (!fs.existsSync(path.dirname(dataDir))) return undefined
  const [generation] = generationsOf(dataDir)
  return generation === undefined ? undefined : read(dataDir, generation)
}

/**
 * Makes this process the one owner of the data directory. Returns what gives it up again.
 * Each owner adds a file with the next number, complete from its first moment (link), and the greatest number counts. It is
 * never removed but by its successor: so of two that find the same dead owner one gets the next number, however slow the other is.
 *
 * @throws Error that names the process which has it
 */
export function claim (dataDir: string, socketDir: string): () => void {
  const draft = `${dataDir}.claim.${process.pid}.${Date.now()}`
  fs.writeFileSync(draft, `${process.pid}\n${startOf(process.pid)}\n${socketDir}\n`, { flag: 'wx', mode: 0o600 })
  try {
    for (;;) {
      const latest = generationsOf(dataDir)[0] ?? 0
      const owner = read(dataDir, latest)
      if (owner !== undefined) throw new Error(`${dataDir} is in use by process ${owner.pid}: stop it first, or choose another DATA_DIR`)
      const mine = latest + 1
      try {
        fs.linkSync(draft, fileOf(dataDir, mine))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
        throw error
      }
      if (generationsOf(dataDir)[0] !== mine) { // a number that was free only because its time is over
        fs.rmSync(fileOf(dataDir, mine), { force: true })
        continue
      }
      for (const old of generationsOf(dataDir).filter((generation) => generation < mine)) fs.rmSync(fileOf(dataDir, old), { force: true })
      return () => { fs.writeFileSync(fileOf(dataDir, mine), '') }
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
}
