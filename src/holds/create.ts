import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { lockPools, type LockedPool } from '../licenses/fill.js'
import { pickDated } from '../licenses/pick-dated.js'
import { routeLines, type RoutedLine } from '../pools/route-lines.js'
import { Problem } from '../problems.js'
import { reclaimExpired } from './reclaim.js'
import { releaseHold } from './release.js'
import type { NewHold } from './schema.js'
import { takeForHold, type PickedStock } from './take.js'

/** Licenses of one hold: as many as a line of an order may have. */
const LICENSES_MAX = 10_000
/** Half an hour: how long the sessions of common checkouts are paid in. */
const EXPIRES_IN_S = 1800
/** A session's hold may end, and another be made, between two looks at it; not again and again. */
const TRIES_MAX = 5

interface Line extends RoutedLine { external_id: string, quantity: number }
interface Hold { account_id: string, external_id: string | null, mode: 'live' | 'test', currency: string, expires_in_s: number, actor: string, lines: Line[] }

/**
 * Takes stock out of sale for a checkout session, all lines or none, and returns the id of the hold. A session, by its external_id, has one: the same
 * again finds it, and its time goes on as it was; one that came to nothing is followed by a new one.
 *
 * @throws Problem validation-failed  two lines of one external_id, or too many licenses
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 * @throws Problem hold-exists  the session has a hold of other content
 * @throws Problem out-of-stock  naming the products
 */
export async function createHold (
  trx: Transaction<Database>, account_id: string, body: Static<typeof NewHold>, actor: string
): Promise<{ id: string, created: boolean }> {
  const { mode = 'live', currency, line_items, expires_in_s = EXPIRES_IN_S, external_id = null } = body
  const routed = await routeLines(trx, account_id, { mode, currency, line_items })
  const lines = routed.map((line, index) => {
    const { external_id = String(index + 1), quantity } = line_items[index] as typeof line_items[number]
    return { ...line, external_id, quantity }
  })
  checkLines(lines)
  const hold: Hold = { account_id, external_id, mode, currency, expires_in_s, actor, lines }
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const id = await insertHold(trx, hold)
    if (id !== undefined) {
      await takeAll(trx, hold, id)
      await recordEvent(trx, { account_id, type: 'hold.created', subject_id: id, actor, data: { licenses: licensesOf(lines), expires_in_s } })
      return { id, created: true }
    }
    const known = await findOfSession(trx, hold)
    if (known?.is_over === false) return { id: sameOrRefuse(known, hold), created: false }
    if (known !== undefined) await releaseHold(trx, { account_id, hold_id: known.id, actor: null, reason: 'its time is over' })
  }
  throw new Problem('unavailable', 'the hold of this session is being changed by others')
}

function checkLines (lines: readonly Line[]): void {
  const ids = new Set<string>()
  for (const [index, { external_id }] of lines.entries()) {
    if (ids.has(external_id)) throw fault(`line_items.${index}.external_id: "${external_id}" is on another line of the hold too`)
    ids.add(external_id)
  }
  if (lines.length === 0) throw fault('line_items: none of these products has licenses to hold')
  if (licensesOf(lines) > LICENSES_MAX) throw fault(`line_items: a hold has at most ${LICENSES_MAX} licenses`)
}

const licensesOf = (lines: readonly Line[]): number => lines.reduce((sum, line) => sum + line.slots, 0)

const fault = (what: string): Problem => new Problem('validation-failed', { detail: what, errors: [what] })

/** Undefined: the session has one. Waits for another call for the same session, and holds no lock that it may want. */
async function insertHold (trx: Transaction<Database>, hold: Hold): Promise<string | undefined> {
  const { account_id, external_id, mode, currency, expires_in_s, actor, lines } = hold
  const inserted = await trx.insertInto('holds')
    .values({ account_id, id: newId('HO'), external_id, mode, currency, created_by: actor, expires_at: sql`now() + ${expires_in_s} * interval '1 s'` })
    .onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
  if (inserted === undefined) return undefined
  await trx.insertInto('hold_lines').values(lines.map((line, index) => ({ account_id, hold_id: inserted.id, number: index + 1, ...line }))).execute()
  return inserted.id
}

interface Known { id: string, currency: string, is_over: boolean, content: string[] }

const contentOf = ({ external_id, product_id, quantity }: Pick<Line, 'external_id' | 'product_id' | 'quantity'>): string => JSON.stringify([external_id, product_id, quantity])

async function findOfSession (trx: Transaction<Database>, { account_id, external_id, mode }: Hold): Promise<Known | undefined> {
  const hold = await trx.selectFrom('holds').select(['id', 'currency', sql<boolean>`status = 'open' and expires_at <= now()`.as('is_over')])
    .where('account_id', '=', account_id).where('mode', '=', mode).where('external_id', '=', external_id).where('status', 'in', ['open', 'committed'])
    .executeTakeFirst()
  if (hold === undefined) return undefined
  const lines = await trx.selectFrom('hold_lines').select(['external_id', 'product_id', 'quantity'])
    .where('account_id', '=', account_id).where('hold_id', '=', hold.id).execute()
  return { ...hold, content: lines.map(contentOf) }
}

function sameOrRefuse (known: Known, { currency, lines }: Hold): string {
  const content = new Set(known.content)
  if (known.currency === currency && content.size === lines.length && lines.every((line) => content.has(contentOf(line)))) return known.id
  throw new Problem('hold-exists', {
    detail: `external_id: hold ${known.id} has it, with another currency, line or quantity; release that, or give a new session another external_id`,
    params: { hold_id: known.id },
  })
}

/** First without waiting for anybody; what that finds too little for is looked at carefully, as a shortage of an order is. */
async function takeAll (trx: Transaction<Database>, { account_id, lines }: Hold, id: string): Promise<void> {
  await sql`savepoint take_for_hold`.execute(trx)
  if ((await takeForHold(trx, account_id, id, { careful: false })).length === 0) return
  await sql`rollback to savepoint take_for_hold`.execute(trx)
  const pool_ids = [...new Set(lines.map((line) => line.pool_id))]
  const pools = await lockPools(trx, account_id, pool_ids)
  await reclaimExpired(trx, account_id, pool_ids)
  const dated = await pickAllDated(trx, { account_id, id, lines, pools })
  const short = new Set(await takeForHold(trx, account_id, id, { careful: true, dated }))
  if (short.size === 0) return
  const product_ids = [...new Set(lines.filter((line) => short.has(line.pool_id)).map((line) => line.product_id))]
  throw new Problem('out-of-stock', { detail: `too few licenses are free for ${product_ids.join(', ')}; nothing is held`, params: { product_ids, pool_ids: [...short] } })
}

/** Of the pools in which licenses expire: what will be fit to be given for as long as the hold lasts. */
async function pickAllDated (
  trx: Transaction<Database>, { account_id, id, lines, pools }: Pick<Hold, 'account_id' | 'lines'> & { id: string, pools: ReadonlyMap<string, LockedPool> }
): Promise<PickedStock[]> {
  const picked: PickedStock[] = []
  const from = sql<Date>`(select expires_at from holds where account_id = ${account_id} and id = ${id})`
  for (const [pool_id, { is_dated, pick }] of pools) {
    if (!is_dated) continue
    const wanted = licensesOf(lines.filter((line) => line.pool_id === pool_id))
    for (const row of await pickDated(trx, { account_id, pool_id, pick, wanted, from })) picked.push({ pool_id, ...row })
  }
  return picked
}
