import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.js'

interface Teardown { teardown (work: () => unknown): unknown }

/** The checkout: tests are run from there. */
export const root = process.cwd()

/** What node is given to run a program of the sources or tests (`src/main`): as it was compiled with this file, or as it is written. */
export function program (name: string): string[] {
  const here = fileURLToPath(import.meta.url)
  const file = path.join(path.dirname(here), '../..', name)
  return here.endsWith('.ts') ? ['--import', 'tsx', `${file}.ts`] : ['--enable-source-maps', `${file}.js`]
}

export interface Started {
  child: ChildProcess
  /** standard output and error so far */
  output: () => string
  /** resolves when it has ended, with its exit code; null: a signal ended it */
  ended: Promise<number | null>
  /** waits for the address it listens on */
  url: () => Promise<string>
}

export interface StartOptions { env?: NodeJS.ProcessEnv, uid?: number }

/** Runs `latchkey` from the sources, with nothing of this process's own settings. Killed when the test ends. */
export function startLatchkey (t: Teardown, args: readonly string[], { env = {}, uid }: StartOptions = {}): Started {
  // tap would load itself into the child, and fail it at its exit where its user may not write to .tap
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...program('src/main'), ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: os.tmpdir(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => { output += data.toString() })
  const ended = new Promise<number | null>((resolve) => { child.once('close', resolve) })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    output: () => output,
    ended,
    async url () {
      const found = await until('the service to listen', () => child.exitCode === null ? /listens on (\S+)/.exec(output) : [output, ''], 60_000)
      if (found[1] === '') throw new Error(`the service ended: ${output}`)
      return found[1] as string
    },
  }
}

/** Runs a command to its end. */
export async function runLatchkey (t: Teardown, args: readonly string[], options: StartOptions = {}): Promise<{ code: number | null, output: string }> {
  const { ended, output } = startLatchkey(t, args, options)
  return { code: await ended, output: output() }
}

/** A path for the test's data, in a directory that `uid` owns and, unless its mode is another, others may walk through. Removed at the end. */
export function dataDir (t: Teardown, { uid, mode = 0o755 }: { uid?: number | undefined, mode?: number } = {}): string {
  const parent = mkdtempSync(path.join(os.tmpdir(), 'latchkey-data-'))
  chmodSync(parent, mode)
  if (uid !== undefined) chownSync(parent, uid, uid)
  t.teardown(() => { rmSync(parent, { recursive: true, force: true }) })
  return path.join(parent, 'data')
}
