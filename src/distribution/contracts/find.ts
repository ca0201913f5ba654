import { seenBy, type Party } from '../../accounts/seen-by.js'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { eventsOf } from '../shape.js'

/** The contracts that a caller may see. */
export function contractsSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('contracts')
    .innerJoin('accounts as vendors', 'vendors.id', 'contracts.account_id')
    .innerJoin('accounts as providers', 'providers.id', 'contracts.provider_id')
    .innerJoin('marketplaces', (join) => join.onRef('marketplaces.provider_id', '=', 'contracts.provider_id').onRef('marketplaces.id', '=', 'contracts.marketplace_id'))
    .select([
      'contracts.account_id', 'contracts.id', 'contracts.provider_id', 'contracts.marketplace_id', 'contracts.type', 'contracts.name', 'contracts.status',
      'contracts.created_at', 'contracts.updated_at', 'vendors.name as vendor_name', 'providers.name as provider_name', 'marketplaces.name as marketplace_name', 'marketplaces.icon',
    ])
    .where(seenBy(caller, 'contracts'))
    .$narrowType<{ type: 'distribution', status: 'active' | 'terminated' }>()
}

type ContractRow = Awaited<ReturnType<ReturnType<typeof contractsSeenBy>['executeTakeFirstOrThrow']>>

/** @throws Problem contract-not-found */
export async function findContract (db: Reader, caller: Party, id: string): Promise<ContractRow> {
  const contract = await contractsSeenBy(db, caller).where('contracts.id', '=', id).executeTakeFirst()
  if (contract === undefined) throw new Problem('contract-not-found')
  return contract
}

/** A contract in Connect's shape. */
export function contractBody (contract: ContractRow) {
  const { id, name, type, status, marketplace_id, marketplace_name, icon, account_id, vendor_name, provider_id, provider_name } = contract
  return {
    id,
    name,
    type,
    status,
    marketplace: { id: marketplace_id, name: marketplace_name, icon },
    vendor: { id: account_id, name: vendor_name },
    provider: { id: provider_id, name: provider_name },
    events: eventsOf(contract),
  }
}
