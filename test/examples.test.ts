// The scripts of examples/, as a newcomer runs them: against a service started from its command line, with what `latchkey seed` made.
import { spawn } from 'node:child_process'
import path from 'node:path'
import t, { type Test } from 'tap'
import { dataDir, root, runLatchkey, startLatchkey } from './support/process.js'
import type { Seeded } from '../src/seed.js'

const SCRIPT_MS_MAX = 60_000

/** Runs a script of examples/ to its end. `hear` is told every line as it is printed. */
function run (t: Test, script: string, env: NodeJS.ProcessEnv, hear: (line: string) => void = () => {}): Promise<{ code: number | null, lines: string[] }> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, path.join(root, 'examples', script)], {
    env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'inherit'], timeout: SCRIPT_MS_MAX,
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let text = ''
  const lines = (): string[] => text.split('\n').slice(0, -1)
  child.stdout.on('data', (data: Buffer) => {
    const before = lines().length
    text += data.toString()
    lines().slice(before).forEach(hear)
  })
  return new Promise((resolve) => { child.once('close', (code) => { resolve({ code, lines: lines() }) }) })
}

async function seeded (t: Test) {
  const env = { DATA_DIR: dataDir(t) }
  const service = startLatchkey(t, ['serve'], { env })
  const url = await service.url()
  const { code, output } = await runLatchkey(t, ['seed', '--json'], { env })
  t.equal(code, 0)
  return { url, ...JSON.parse(output.slice(output.indexOf('{'))) as Seeded }
}

// Guarantee: both doors' promise to a newcomer: a provider asks, the vendor writes the license key and approves, the provider is told and reads it;
// and what a pool fills is approved by itself.
t.test('the vendor\'s and the provider\'s script', { timeout: 300_000 }, async (t) => {
  const { url, vendor, provider, products } = await seeded(t)
  const [filled, byHand] = products as [Seeded['products'][number], Seeded['products'][number]]
  const buy = (product: Seeded['products'][number], hear?: (line: string) => void) =>
    run(t, 'provider.mjs', { LATCHKEY_URL: url, PROVIDER_KEY: provider.api_key, PRODUCT_ID: product.id, CONNECTION_ID: product.connection_id }, hear)

  let vendorRan: ReturnType<typeof run> | undefined
  const bought = await buy(byHand, (line) => {
    if (line.endsWith(' pending')) vendorRan = run(t, 'vendor.mjs', { LATCHKEY_URL: url, VENDOR_KEY: vendor.api_key, PRODUCT_ID: byHand.id })
  })
  const { code, lines } = await vendorRan!
  t.equal(code, 0)
  t.equal(bought.code, 0)
  const [id] = bought.lines[0]!.split(' ') as [string]
  t.strictSame(lines, [`${id} approved`])
  t.equal(bought.lines[0], `${id} pending`)
  t.match(bought.lines[1], new RegExp(`^${id} approved [0-9A-F]{20}$`), 'the provider was told, and read the key')

  const alone = await buy(filled)
  t.equal(alone.code, 0)
  t.match(alone.lines[0], / approved$/, 'from the pool, at once')
  t.match(alone.lines[1], / approved HARB-[0-9A-F-]+$/)
})
