import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Picked } from '../licenses/pick-dated.js'
import { MARK_WINDOW } from '../licenses/reshelve.js'

/** Stock of a pool in which licenses expire, picked and locked before. */
export interface PickedStock extends Picked { pool_id: string }

interface Taken { pool_id: string, wanted: number, picked: number }

/**
 * Moves what the lines of a hold want out of stock, all or nothing, and returns the pools that are short. A pool in which somebody waits counts as
 * empty: nobody overtakes. `careful`, under the lock of the pools: looks at all of the stock and waits for takes in flight; otherwise it
 * passes over what others are just taking, as they do over this, and a shortage is only a reason to look carefully (docs/decisions/0004). Of pools in which
 * licenses expire it takes what `dated` has, which is for the careful one too.
 * Rows that it locked stay locked when it is short: undo it to a savepoint.
 */
export async function takeForHold (
  trx: Transaction<Database>, account_id: string, hold_id: string, { careful, dated = [] }: { careful: boolean, dated?: readonly PickedStock[] }
): Promise<string[]> {
  const beyondMark = careful
    ? sql``
    : sql`and s.position > coalesce((
        select a.position from allocations a where a.account_id = ${account_id} and a.pool_id = w.pool_id order by a.position desc limit 1), 0) - ${sql.lit(MARK_WINDOW)}`
  const { rows } = await sql<Taken>`
    with lines as materialized (
      select number, pool_id, slots, expires_at from hold_lines l join holds h on h.account_id = l.account_id and h.id = l.hold_id
      where l.account_id = ${account_id} and l.hold_id = ${hold_id}
    ), wanted as materialized (
      select pool_id, sum(slots) as slots,
        (select true from backorders b where b.account_id = ${account_id} and b.pool_id = lines.pool_id order by b.queue limit 1) is null as is_free,
        (select p.dated_from is null from pools p where p.account_id = ${account_id} and p.id = lines.pool_id) as is_plain
      from lines group by pool_id
    ), picked as materialized (
      select w.pool_id, s.position, s.license_id, row_number() over (partition by w.pool_id order by s.position) as nth
      from wanted w cross join lateral (
        select s.position, s.license_id from stock s
        where s.account_id = ${account_id} and s.pool_id = w.pool_id and w.is_free and w.is_plain ${beyondMark}
        order by s.position limit w.slots for update ${careful ? sql`` : sql`skip locked`}) s
      union all
      select w.pool_id, d.position, d.license_id, row_number() over (partition by w.pool_id order by d.nth)
      from unnest(${dated.map((row) => row.pool_id)}::text[], ${dated.map((row) => row.position)}::bigint[], ${dated.map((row) => row.license_id)}::text[]) with ordinality as d (pool_id, position, license_id, nth)
      join wanted w using (pool_id) where w.is_free
    ), kept as materialized (
      select * from picked where (select count(*) from picked) = (select sum(slots) from wanted)
    ), taken as (
      delete from stock where account_id = ${account_id} and license_id = any(array(select license_id from kept)) returning license_id
    ), held as (
      insert into held_licenses (account_id, license_id, pool_id, position, hold_id, line_number, expires_at)
      select ${account_id}, k.license_id, k.pool_id, k.position, ${hold_id}, l.number, l.expires_at
      from kept k join (
        select lines.*, row_number() over (partition by pool_id order by number, unit) as nth from lines cross join lateral generate_series(1, slots) as unit) l
        using (pool_id, nth)
    )
    select pool_id, slots::int as wanted, (select count(*)::int from picked p where p.pool_id = w.pool_id) as picked from wanted w
    where 1 / (case when (select count(*) from taken) = (select count(*) from kept) then 1 else 0 end) = 1`.execute(trx)
  return rows.filter(({ wanted, picked }) => picked < wanted).map(({ pool_id }) => pool_id)
}
