// Everything that may happen to a vendor's orders, in any order, against the invariants of the database and what parts promise each other.
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { sql, type Kysely } from 'kysely'
import t from 'tap'
import type { Database } from '../../src/database/connect.js'
import { checkInvariants } from '../../src/fsck/invariants.js'
import { testDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'
import { BEHAVIOURS, JOBS, POOLS, Story, type Setting } from './everything-story.js'

const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31))
const RUNS = Number(process.env['RUNS'] ?? 30)
/** To hunt: all invariants after every step, which takes a minute. */
const is_thorough = process.env['THOROUGH'] !== undefined
const STEPS = { min: 15, max: 30 }

type Step = (story: Story) => Promise<unknown>
const which = fc.nat(20)
const lines = fc.array(fc.tuple(fc.nat(POOLS - 1), fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 2 })
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined })
const line = fc.constantFrom('1', '2')
const quantity = optional(fc.integer({ min: 1, max: 2 }))
const named = <A extends unknown[]>(weight: number, name: string, args: fc.Arbitrary<A>, step: (story: Story, ...args: A) => Promise<unknown>) => ({
  weight, arbitrary: args.map((values): { text: string, step: Step } => ({ text: `${name}(${JSON.stringify(values).slice(1, -1)})`, step: (story) => step(story, ...values) })),
})
const subject = fc.constantFrom('s1', 's2')

const supplies: fc.Arbitrary<Setting['supplies']> = fc.uniqueArray(fc.oneof(
  fc.constant('next' as const), fc.constant('information' as const),
  fc.record({ per: fc.constantFrom('unit' as const, 'line' as const), behaviour: fc.constantFrom(...BEHAVIOURS) })
), { maxLength: 3, selector: (supply) => typeof supply === 'string' ? supply : 'emulator' })
  .filter((list) => list.length !== 1 || list[0] !== 'information') // then it needs no pool
const aSetting: fc.Arbitrary<Setting> = fc.record({
  pools: fc.array(fc.record({
    rule: fc.constantFrom('unit' as const, 'unit' as const, 'line' as const),
    policy: fc.constantFrom('backorder' as const, 'partial' as const, 'fail' as const),
    on_renewal: fc.constantFrom('issue' as const, 'keep' as const, 'extend' as const),
    pick: fc.constantFrom('first' as const, 'soonest' as const),
    min_remaining_days: fc.constantFrom(0, 10),
  }), { minLength: POOLS, maxLength: POOLS }),
  supplies,
})

const anyStep = fc.oneof(
  named(5, 'load', fc.tuple(fc.nat(POOLS - 1), fc.integer({ min: 1, max: 4 })), (story, pool, count) => story.load(pool, count)),
  named(3, 'load dated', fc.tuple(fc.nat(POOLS - 1), fc.array(fc.option(fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 3 })), (story, pool, days) => story.loadDated(pool, days)),
  named(1, 'days pass', fc.tuple(fc.integer({ min: 1, max: 9 })), (story, days) => story.age(days)),
  named(7, 'order', fc.tuple(lines, fc.record({ hold: optional(which), parent: optional(which), refusable: fc.boolean() })), (story, of, more) => story.order(of, more)),
  named(2, 'replay', fc.tuple(which, fc.boolean()), (story, order, retry) => story.replay(order, retry)),
  named(3, 'hold', fc.tuple(lines), (story, of) => story.hold(of)),
  named(1, 'expire', fc.tuple(which), (story, hold) => story.expire(hold)),
  named(1, 'release', fc.tuple(which), (story, hold) => story.release(hold)),
  named(2, 'refunded', fc.tuple(which, subject, optional(line), quantity, fc.boolean()), (story, order, of, name, units, late) => story.fact(order,
    { kind: 'refunded', subject: of, is_full: name === undefined, lines: name === undefined ? [] : [{ external_id: name, ...(units === undefined ? {} : { quantity: units }) }] }, late)),
  named(1, 'refunded amount', fc.tuple(which, subject, fc.constantFrom(100, 600, 1000), fc.boolean()), (story, order, of, amount, is_cumulative) => story.fact(order,
    { kind: 'refunded', subject: of, amount, is_cumulative }, false)),
  named(2, 'refund failed', fc.tuple(which, subject), (story, order, of) => story.fact(order, { kind: 'refund_failed', subject: of }, false)),
  named(5, 'dispute', fc.tuple(which, fc.constantFrom('disputed' as const, 'disputed' as const, 'dispute_won' as const, 'dispute_won' as const, 'dispute_lost' as const), fc.boolean()), (story, order, kind, late) => story.fact(order,
    { kind, subject: 'd' }, late && kind !== 'disputed')),
  named(1, 'said', fc.tuple(which, fc.constantFrom('cancelled' as const, 'paid' as const, 'payment_failed' as const)), (story, order, kind) => story.fact(order, { kind, subject: '' }, false)),
  named(2, 'refund', fc.tuple(which, fc.oneof(fc.record({ line, quantity }), fc.record({ amount: fc.constantFrom(100, 600) }), fc.constant({}))), (story, order, what) => story.refund(order, what)),
  named(1, 'cancel', fc.tuple(which), (story, order) => story.cancel(order)),
  named(1, 'resend', fc.tuple(which), (story, order) => story.resend(order)),
  named(2, 'reveal', fc.tuple(which), (story, license) => story.sold(license, 'reveal')),
  named(2, 'replace', fc.tuple(which), (story, license) => story.sold(license, 'replace')),
  named(1, 'revoke', fc.tuple(which), (story, license) => story.sold(license, 'revoke')),
  named(1, 'withdraw', fc.tuple(which), (story, license) => story.withdraw(license)),
  named(2, 'recall', fc.tuple(which), (story, batch) => story.recall(batch)),
  named(3, 'claim', fc.tuple(fc.integer({ min: 1, max: 3 })), (story, limit) => story.claim(limit)),
  named(3, 'finish', fc.tuple(fc.constantFrom('sent' as const, 'deferred' as const, 'bounced' as const, 'released' as const)), (story, outcome) => story.finish(outcome)),
  named(3, 'call', fc.tuple(), (story) => story.call()),
  named(2, 'call one', fc.tuple(), (story) => story.call(1)),
  named(1, 'supply', fc.tuple(supplies), (story, list) => story.supply(list)),
  named(1, 'retry', fc.tuple(which), (story, demand) => story.retry(demand)),
  named(6, 'job', fc.tuple(fc.constantFrom(...JOBS)), (story, job) => story.job(job)),
  named(1, 'rest', fc.tuple(), (story) => story.rest()))

/** What one part promises another, beyond what the invariants of fsck say. */
async function promises (db: Kysely<Database>, account_id: string): Promise<string[]> {
  const { rows } = await sql<{ broken: string }>`
    select 'seen, and for sale: ' || f.license_id as broken
    from (select account_id, license_id from stock union all select account_id, license_id from held_licenses) f
    join license_sightings s on s.account_id = f.account_id and s.license_id = f.license_id where f.account_id = ${account_id}
    union all
    select 'found bad, and somebody may get it or has it: ' || f.license_id
    from (select account_id, license_id from stock union all select account_id, license_id from held_licenses
      union all select account_id, license_id from allocations where ended_as is null) f
    join license_revocations r on r.account_id = f.account_id and r.license_id = f.license_id where f.account_id = ${account_id}
    union all
    select 'paid for, empty, and waits for nothing: ' || s.line_item_id || ' unit ' || s.unit
    from orders o join line_items l on l.account_id = o.account_id and l.order_id = o.id join pools p on p.account_id = l.account_id and p.id = l.pool_id
    join slots s on s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null
    where o.account_id = ${account_id} and not o.is_held and p.on_shortage <> 'fail'
      and not exists (select from backorders b where b.account_id = l.account_id and b.line_item_id = l.id)
      and not exists (select from allocations a where a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null)
    union all
    select 'mailed by two that are to come: ' || license_id
    from (select account_id, order_id, unnest(license_ids) as license_id from deliveries where account_id = ${account_id} and status = 'planned' and attempts = 0 and reason <> 'resend') d
    group by order_id, license_id having count(*) > 1
    union all
    select 'mailed for an order that has ended: ' || d.id from deliveries d join orders o on o.account_id = d.account_id and o.id = d.order_id
    where d.account_id = ${account_id} and d.status = 'planned' and d.attempts = 0 and d.reason <> 'information' and o.status in ('refunded', 'charged_back', 'cancelled')`.execute(db)
  return rows.map((row) => row.broken)
}

/** What is so once the worker has done all: nothing is left over, whoever may be served is, and every license that is held was mailed, once. */
async function restored (db: Kysely<Database>, account_id: string): Promise<string[]> {
  const { rows } = await sql<{ broken: string }>`
    select 'a demand of a line that misses nothing: ' || d.id as broken from supply_orders d
    where d.account_id = ${account_id} and d.status in ('planned', 'calling', 'given_up')
      and not exists (select from backorders b where b.account_id = d.account_id and b.line_item_id = d.line_item_id)
    union all
    select 'mailed ' || n || ' times: ' || license_id || ' of ' || order_id from (
      select a.order_id, a.license_id, (select count(*) from deliveries d
        where d.account_id = a.account_id and d.order_id = a.order_id and a.license_id = any(d.license_ids) and d.reason <> 'resend' and d.status <> 'cancelled') as n
      from allocations a join orders o on o.account_id = a.account_id and o.id = a.order_id
      where a.account_id = ${account_id} and a.ended_as is null and not o.is_held) m where n <> 1
    union all
    select 'a mail that is not sent: ' || id from deliveries where account_id = ${account_id} and status in ('planned', 'sending')
    union all
    select 'an item of a recall that is short, of a slot that is filled: ' || i.license_id from recall_items i
    join license_revocations r on r.account_id = i.account_id and r.license_id = i.license_id
    join allocations a on a.account_id = r.account_id and a.line_item_id = r.line_item_id and a.unit = r.unit and a.ended_as is null
    where i.account_id = ${account_id} and i.outcome = 'short'`.execute(db)
  return rows.map((row) => row.broken)
}

/** Those that do not hold now and did before: a story that failed leaves its traces to those that follow. */
async function freshViolations (db: Kysely<Database>, before: Map<string, number>): Promise<string[]> {
  const found = await checkInvariants(db)
  const fresh = found.filter(({ check, total }) => total > (before.get(check) ?? 0))
  for (const { check, total } of found) before.set(check, total)
  return fresh.map(({ check, ids }) => `${check}: ${ids.join()}`)
}

// Guarantee: in whatever order loads, orders, holds, refunds, disputes, cancellations, recalls, replacements, supplies, mails and the worker's jobs come, the
// promises between parts hold after each step, and all invariants; and once the worker is done, what is held was mailed once and nothing is left to do.
t.test('everything, in any order', { timeout: 110_000 }, async (t) => {
  const { db } = await testDatabase(t)
  t.comment(`seed: SEED=${SEED} RUNS=${RUNS}`)
  const known = new Map<string, number>()
  await fc.assert(fc.asyncProperty(aSetting, fc.array(anyStep, { minLength: STEPS.min, maxLength: STEPS.max, size: 'max' }), async (setting, steps) => {
    const story = await Story.open(db, setting)
    const { account_id } = story.shop
    const told: string[] = []
    const assertHolds = (broken: string[]): void => { if (broken.length > 0) throw new Error(`${broken.join('\n')}\nafter ${JSON.stringify(setting)}\n${told.join('\n')}`) }
    try {
      for (const { text, step } of steps) {
        told.push(text)
        await step(story).catch((error: unknown) => { throw new Error(`after ${JSON.stringify(setting)}\n${told.join('\n')}`, { cause: error }) })
        assertHolds([...await promises(db, account_id), ...is_thorough ? await freshViolations(db, known) : []])
      }
      assertHolds(await freshViolations(db, known))
      told.push('the rest')
      await story.rest()
      assertHolds([...await promises(db, account_id), ...await restored(db, account_id), ...await freshViolations(db, known)])
    } finally {
      await story.close()
    }
  }), { seed: SEED, numRuns: RUNS, endOnFailure: true, interruptAfterTimeLimit: 90_000, reporter: report })
  await assertInvariants(t, db)
})

/** The error names the steps; values that are functions would say nothing. */
function report<T> ({ failed, seed, numRuns, errorInstance }: fc.RunDetails<T>): void {
  if (failed) throw new Error(`seed ${seed}, story ${numRuns}: ${errorInstance instanceof Error ? errorInstance.message : ''}`, { cause: errorInstance })
}
