import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { spokenLines } from '../deliveries/spoken-lines.js'
import { openKeys } from '../licenses/open-keys.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import type { OpenedPage } from './open-page.js'
import { showLicenses } from './show-licenses.js'

/** One line with all its licenses, or one license. */
export interface Wanted { line_item_id?: string | undefined, license_id?: string | undefined }

/**
 * The keys that a customer asks for on the page of the order, in the order of the page, which is written down before they are answered.
 *
 * @throws Problem nothing-to-reveal  whatever the reason: not of this order, waiting, taken back, of a product whose keys are only mailed
 */
export async function revealOnPage (
  trx: Transaction<Database>, keyring: Keyring, page: OpenedPage, { line_item_id = null, license_id = null }: { [name in keyof Wanted]: Wanted[name] | null }
): Promise<Array<{ id: string, line_item_id: string, key: string }>> {
  const { account_id, order_id } = page
  const { rows: wanted } = await sql<{ id: string, line_item_id: string }>`
    select a.license_id as id, s.id as line_item_id
    from ${spokenLines(account_id, order_id)} s join products p on p.account_id = ${account_id} and p.id = s.product_id and p.order_page <> 'none'
    join allocations a on a.account_id = ${account_id} and a.line_item_id = s.holder_id and a.ended_as is null
    where s.id = ${line_item_id} or a.license_id = ${license_id}
    order by s.holder_id = s.id, length(s.holder_id), s.holder_id, a.unit`.execute(trx)
  const shown = await showLicenses(trx, page, wanted.map((license) => license.id))
  const keys = await openKeys(trx, keyring, account_id, [...shown])
  const revealed = wanted.flatMap((license) => {
    const key = keys.get(license.id)
    return key === undefined ? [] : [{ ...license, key }]
  })
  if (revealed.length === 0) throw new Problem('nothing-to-reveal')
  return revealed
}
