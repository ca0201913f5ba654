import type { Reader } from '../database/connect.js'

/** The licenses that an order holds now, per line by its external_id, in the order of the units. A line without any has an empty list. */
export async function allocatedTo (db: Reader, account_id: string, order_id: string): Promise<Map<string, string[]>> {
  const rows = await db.selectFrom('line_items').leftJoin('allocations', (join) => join
    .onRef('allocations.account_id', '=', 'line_items.account_id').onRef('allocations.line_item_id', '=', 'line_items.id').on('allocations.ended_as', 'is', null))
    .select(['line_items.external_id', 'allocations.license_id'])
    .where('line_items.account_id', '=', account_id).where('line_items.order_id', '=', order_id).orderBy('allocations.unit').execute()
  const licensesOf = new Map<string, string[]>(rows.map((row) => [row.external_id, []]))
  for (const { external_id, license_id } of rows) if (license_id !== null) licensesOf.get(external_id)?.push(license_id)
  return licensesOf
}
