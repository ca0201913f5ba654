// Random mixes of everything that moves licenses, over the API, against a model and the invariants of the database.
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { stockOf } from '../support/vendor.js'
import { checkInvariants } from '../../src/fsck/invariants.js'
import { Model, POLICIES, RULES } from './mixes-model.js'
import { Vendor } from './mixes-vendor.js'

const POOLS = 2
const seed = Number(process.env['MIXES_SEED'] ?? randomInt(2 ** 31))

const poolAt = fc.nat(POOLS - 1)
const steps = {
  load: fc.record({ kind: fc.constant('load' as const), pool: poolAt, fresh: fc.nat(4), repeated: fc.nat(2) }),
  order: fc.record({
    kind: fc.constant('order' as const),
    lines: fc.array(fc.tuple(poolAt, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 3 }),
    by: fc.constantFrom('api' as const, 'webhook' as const),
  }),
  repeat: fc.record({ kind: fc.constant('repeat' as const), which: fc.nat(), as: fc.constantFrom('the same' as const, 'another event' as const, 'another quantity' as const) }),
  unknown: fc.record({ kind: fc.constant('unknown' as const), by: fc.constantFrom('api' as const, 'webhook' as const) }),
  policy: fc.record({ kind: fc.constant('policy' as const), pool: poolAt, policy: fc.constantFrom(...POLICIES) }),
  resend: fc.record({ kind: fc.constant('resend' as const), which: fc.nat() }),
  withdraw: fc.record({ kind: fc.constant('withdraw' as const), pool: poolAt }),
  cancel: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }),
}
const anyStep = fc.oneof(
  { weight: 4, arbitrary: steps.load }, { weight: 8, arbitrary: steps.order }, { weight: 3, arbitrary: steps.repeat }, { weight: 1, arbitrary: steps.unknown },
  { weight: 2, arbitrary: steps.policy }, { weight: 1, arbitrary: steps.resend }, { weight: 1, arbitrary: steps.withdraw },
  { weight: 2, arbitrary: steps.cancel })
type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never
const shops = fc.array(fc.record({ rule: fc.constantFrom(...RULES), policy: fc.constantFrom(...POLICIES) }), { minLength: POOLS, maxLength: POOLS })

function equal (what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
}

/** Does the step in the service and in the model, and compares what the client is told. */
async function play (vendor: Vendor, model: Model, step: Step): Promise<void> {
  const placed = 'which' in step ? vendor.placed[step.which % Math.max(1, vendor.placed.length)] : undefined
  if (step.kind === 'load') {
    const { loaded, duplicates } = await vendor.load(step.pool, step.fresh, step.repeated)
    equal('a load', loaded, step.fresh)
    if ((duplicates as number) > step.repeated) throw new Error('more duplicates than were sent')
    model.load(step.pool, step.fresh)
  } else if (step.kind === 'order') {
    const number = vendor.next()
    const { status, id } = await vendor.order(number, step.lines, step.by)
    const taken = model.order(step.lines, step.by === 'api')
    equal('an order', status, taken ? step.by === 'api' ? 201 : 200 : 409)
    if (taken) vendor.placed.push({ number, id, by: step.by, lines: step.lines })
  } else if (step.kind === 'unknown') {
    equal('an unknown product', (await vendor.order(vendor.next(), [[0, 1], ['sku-unknown', 1]], step.by)).status, step.by === 'api' ? 404 : 202)
  } else if (step.kind === 'policy') {
    equal('a change of policy', await vendor.setPolicy(step.pool, step.policy), 200)
    model.policy(step.pool, step.policy)
  } else if (step.kind === 'withdraw') {
    equal('a withdrawal', await vendor.withdraw(step.pool), model.pool(step.pool).stock > 0 ? 200 : undefined)
    if (model.pool(step.pool).stock > 0) model.withdraw(step.pool)
  } else if (placed === undefined) {
    // nothing to repeat yet
  } else if (step.kind === 'cancel') {
    await vendor.cancel(placed.id)
    model.cancel(vendor.placed.indexOf(placed))
  } else if (step.kind === 'resend') {
    const held = model.orders[vendor.placed.indexOf(placed)]?.some((line) => line.filled > 0) === true
    equal('a resend', await vendor.resend(placed.id), held ? 202 : 409)
  } else {
    const { number, id, by, lines } = placed
    const other = step.as === 'another quantity'
    const event = step.as === 'the same' ? `msg_${number}` : `msg_${number}_${vendor.next()}`
    const answer = await vendor.order(number, other ? lines.map(([pool, quantity]) => [pool, quantity + 1]) : lines, by, event)
    if (other) equal('another order of this number', answer.status, by === 'api' ? 409 : 202)
    else equal('a repeat', answer, { status: by === 'api' && step.as === 'the same' ? 201 : 200, id })
  }
}

async function compare (vendor: Vendor, model: Model): Promise<void> {
  for (const [at, pool_id] of vendor.pools.entries()) {
    const { loaded, available, withdrawn, allocated, backordered } = await stockOf(vendor.call, pool_id)
    equal(`stock of pool ${at}`, { loaded, available, withdrawn, allocated, backordered }, model.stockOf(at))
  }
  for (const [at, { id }] of vendor.placed.entries()) {
    equal(`order ${at}`, await vendor.held(id), model.orders[at]?.map((line) => ({ status: model.statusOf(line), licenses: line.filled })))
  }
}

async function clean ({ db }: TestApp): Promise<void> { equal('invariants', await checkInvariants(db), []) }

async function check (t: Test, property: fc.IAsyncProperty<any>, numRuns: number): Promise<void> {
  t.comment(`seed: MIXES_SEED=${seed}, ${numRuns} runs`)
  await fc.assert(property, { seed, numRuns, interruptAfterTimeLimit: 60_000, endOnFailure: false })
}

// Guarantee (A1, A3, A4, A5, A6, A7): whatever was loaded, ordered, repeated, refused, changed, sent again, withdrawn or cancelled, every client is told, every
// pool holds and every line has what the model says: first come first served, the head of a queue blocks, a repeat changes nothing.
t.test('a mix, step by step', { timeout: 110_000 }, async (t) => {
  const service = await testApp(t)
  let count = 0
  await check(t, fc.asyncProperty(shops, fc.array(anyStep, { minLength: 10, maxLength: 40, size: 'max' }), async (pools, mix) => {
    const vendor = await Vendor.open(service, pools)
    const model = new Model(pools)
    for (const step of mix) await play(vendor, model, step)
    count += mix.length
    await compare(vendor, model)
    await clean(service)
  }), 25)
  t.comment(`${count} steps`)
  await assertInvariants(t, service.db)
})

// Guarantee (A6): the same with the steps of a round at once. Whatever the order they happened in: the invariants hold, and no line of a later
// round is served from a pool where a line of an earlier round waits.
t.test('a mix, in rounds at once', { timeout: 110_000 }, async (t) => {
  const service = await testApp(t)
  const round = fc.array(fc.oneof({ weight: 2, arbitrary: steps.load }, { weight: 6, arbitrary: steps.order }, { weight: 1, arbitrary: steps.policy },
    { weight: 1, arbitrary: steps.withdraw }, { weight: 2, arbitrary: steps.cancel }), { minLength: 3, maxLength: 8 })
  await check(t, fc.asyncProperty(shops, fc.array(round, { minLength: 2, maxLength: 4 }), async (pools, rounds) => {
    const vendor = await Vendor.open(service, pools)
    const roundOf = new Map<string, number>()
    for (const [at, mix] of rounds.entries()) {
      const earlier = [...roundOf.keys()]
      const statuses = await Promise.all(mix.map(async (step) => {
        if (step.kind === 'load') return vendor.load(step.pool, step.fresh, 0).then(() => 201)
        if (step.kind === 'policy') return vendor.setPolicy(step.pool, step.policy)
        if (step.kind === 'withdraw') return vendor.withdraw(step.pool)
        if (step.kind === 'cancel') return earlier.length === 0 ? undefined : vendor.cancel(earlier[step.which % earlier.length] as string)
        const { status, id } = await vendor.order(vendor.next(), step.lines, step.by)
        if (status < 300) roundOf.set(id, at)
        return status
      }))
      const wrong = statuses.filter((status) => status !== undefined && ![200, 201, 409].includes(status))
      equal('answers', wrong, [])
      await clean(service)
      await nobodyOvertook(service, vendor, roundOf)
    }
  }), 20)
  await assertInvariants(t, service.db)
})

async function nobodyOvertook ({ db }: TestApp, { pools }: Vendor, roundOf: ReadonlyMap<string, number>): Promise<void> {
  for (const pool_id of pools) {
    const waiting = await db.selectFrom('backorders').select('order_id').where('pool_id', '=', pool_id).execute()
    const served = await db.selectFrom('allocations').select('order_id').where('pool_id', '=', pool_id).execute()
    const rounds = (rows: ReadonlyArray<{ order_id: string }>): number[] => rows.map(({ order_id }) => roundOf.get(order_id) ?? 0)
    const [earliest, latest] = [Math.min(...rounds(waiting)), Math.max(...rounds(served))]
    if (earliest < latest) throw new Error(`pool ${pool_id}: a line of round ${latest} was served while one of round ${earliest} waits`)
  }
}
