import type { Connection } from './find-connection.js'

export interface ConnectionRow {
  account_id: string
  connection_id: string
  connection_type: Connection['type']
  connection_status: Connection['status']
  connection_created_at: Date
  provider_id: string
  provider_name: string
  vendor_name: string
  hub_id: string | null
  hub_name: string | null
}

/** The connection of an asset or a tier configuration, as both show it. */
export function connectionBody (row: ConnectionRow) {
  return {
    id: row.connection_id,
    type: row.connection_type,
    status: row.connection_status,
    provider: { id: row.provider_id, name: row.provider_name },
    vendor: { id: row.account_id, name: row.vendor_name },
    ...(row.hub_id === null ? {} : { hub: { id: row.hub_id, name: row.hub_name ?? '' } }),
    created_at: row.connection_created_at,
  }
}
