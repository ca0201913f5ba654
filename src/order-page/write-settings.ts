import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { invalid } from '../problems.js'
import type { OrderPageSettings } from './find-settings.js'

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]'])

/** What is wrong with an origin, or undefined. A browser sends it just so (RFC 6454 §6.2): compared as text, it must be spelled so. */
function faultOf (text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (text.includes('*')) return 'must be one origin: there are no wildcards'
  if (url === undefined || url.origin !== text) return `must be an origin as browsers send it, like https://shop.example.com${url === undefined || url.origin === 'null' ? '' : `; did you mean ${url.origin}`}`
  if (url.protocol === 'https:' || (url.protocol === 'http:' && LOCAL.has(url.hostname))) return undefined
  return 'must begin with https://, except on localhost'
}

/**
 * Replaces the settings of an account's order pages.
 *
 * @throws Problem validation-failed  an origin that no browser would send, or of plain HTTP
 */
export async function writeSettings (trx: Transaction<Database>, account_id: string, settings: OrderPageSettings, actor: string): Promise<void> {
  const faults = settings.allowed_origins.flatMap((origin, i) => {
    const fault = faultOf(origin)
    return fault === undefined ? [] : [`allowed_origins.${i}: ${fault}`]
  })
  if (faults.length > 0) throw invalid(...faults)
  await trx.insertInto('order_page_settings').values({ account_id, ...settings })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...settings, updated_at: sql<Date>`now()` })).execute()
  await recordEvent(trx, { account_id, type: 'order_page_settings.updated', subject_id: account_id, actor, data: { ...settings } })
}
