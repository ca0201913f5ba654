import type { Reader } from '../database/connect.js'

/** What ties a product to a provider, or to one system of it. */
export interface Connection {
  account_id: string
  id: string
  product_id: string
  provider_id: string
  /** null: any system of the provider */
  hub_id: string | null
  type: 'test' | 'production' | 'preview'
  status: 'pending' | 'approved' | 'rejected' | 'revoked' | 'active'
  /** requests may be made through it */
  is_usable: boolean
}

/** The states in which a provider sees the product and requests it. */
export const USABLE = ['active', 'approved'] as const

/**
 * A connection by its id, of this vendor, of this provider, or of both. Undefined: neither has it; in what words that is refused is the
 * caller's matter. One that was revoked or rejected is found too: look at `is_usable` before something new is made through it.
 */
export async function findConnection (
  db: Reader, { account_id, provider_id, id }: { id: string, account_id?: string | undefined, provider_id?: string | undefined }
): Promise<Connection | undefined> {
  if (account_id === undefined && provider_id === undefined) return undefined
  const row = await db.selectFrom('connections').select(['account_id', 'id', 'product_id', 'provider_id', 'hub_id', 'type', 'status']).where('id', '=', id)
    .$if(account_id !== undefined, (query) => query.where('account_id', '=', account_id!))
    .$if(provider_id !== undefined, (query) => query.where('provider_id', '=', provider_id!))
    .$narrowType<Pick<Connection, 'type' | 'status'>>().executeTakeFirst()
  return row && { ...row, is_usable: USABLE.some((status) => status === row.status) }
}
