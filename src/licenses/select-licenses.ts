import { sql, type SelectQueryBuilder } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { open, type Keyring } from '../sealing.js'
import { chainOf, type Chain } from './chain.js'
import { maskKey } from './mask.js'

export const LICENSE_STATES = ['available', 'held', 'allocated', 'revoked', 'expired', 'withdrawn'] as const

interface LicenseRow extends Chain {
  id: string
  pool_id: string
  batch_id: string
  line: number
  mode: string
  state: typeof LICENSE_STATES[number]
  sealed: Buffer
  order_id: string | null
  line_item_id: string | null
  unit: number | null
  allocated_at: Date | null
  expires_at: Date | null
  created_at: Date
}

/**
 * The licenses of an account with their state: a table `l` to filter, order and page. Stock that is too old to be given is expired, whether or not it has left
 * stock yet, as in the counts of its pool.
 */
export function selectLicenses (db: Reader, account_id: string): SelectQueryBuilder<{ l: LicenseRow }, 'l', LicenseRow> {
  const licenses = sql<LicenseRow>`(
    select l.id, l.pool_id, l.batch_id, l.line, l.mode, l.sealed, l.expires_at, l.created_at, a.order_id, a.line_item_id, a.unit, a.allocated_at, ${chainOf('l')},
      case when w.license_id is not null then 'withdrawn' when x.license_id is not null or s.expires_at <= statement_timestamp() + p.min_remaining_days * interval '24 hours' then 'expired'
        when s.license_id is not null then 'available' when h.license_id is not null then 'held'
        when a.ended_as = 'revoked' then 'revoked' else 'allocated' end as state
    from licenses l
    left join withdrawals w on w.account_id = l.account_id and w.license_id = l.id
    left join stock s on s.account_id = l.account_id and s.license_id = l.id
    left join pools p on p.account_id = s.account_id and p.id = s.pool_id
    left join expirations x on x.account_id = l.account_id and x.license_id = l.id
    left join held_licenses h on h.account_id = l.account_id and h.license_id = l.id
    left join allocations a on a.account_id = l.account_id and a.license_id = l.id and (a.ended_as is null or a.ended_as = 'revoked')
    where l.account_id = ${account_id})`.as<'l'>('l')
  return db.selectFrom(licenses).selectAll('l') as unknown as SelectQueryBuilder<{ l: LicenseRow }, 'l', LicenseRow>
}

export type MaskedLicense = Omit<LicenseRow, 'sealed'> & { masked: string }

/** The row as a client may see it: the key is opened in memory and masked. */
export function maskLicense (keyring: Keyring, account_id: string, { sealed, ...license }: LicenseRow): MaskedLicense {
  return { ...license, masked: maskKey(open(keyring, [account_id, license.pool_id, license.id], sealed)) }
}

/**
 * The licenses of a pool, masked: those that `page` picks from them.
 *
 * @throws Problem pool-not-found
 */
export async function listPoolLicenses (
  db: Reader, keyring: Keyring, { account_id, pool_id }: { account_id: string, pool_id: string },
  page: (licenses: ReturnType<typeof selectLicenses>) => Promise<LicenseRow[]>
): Promise<MaskedLicense[]> {
  const pool = await db.selectFrom('pools').select('id').where('account_id', '=', account_id).where('id', '=', pool_id).executeTakeFirst()
  if (pool === undefined) throw new Problem('pool-not-found')
  const licenses = await page(selectLicenses(db, account_id).where('l.pool_id', '=', pool_id))
  return licenses.map((license) => maskLicense(keyring, account_id, license))
}
