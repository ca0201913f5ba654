import type { Reader } from '../../database/connect.js'
import { connectionBody } from '../../distribution/connection-body.js'
import { readValues, type ParamsOf } from '../../parameters/read-values.js'
import { renderedText } from '../../parameters/rendered-text.js'
import { configurationOf } from '../../products/configurations/configuration-of.js'
import type { Keyring } from '../../sealing.js'
import { fullTierDocuments } from '../accounts/tier-documents.js'
import type { ConfigRow } from './find.js'
import type { TierConfigDocument } from './schema.js'

type Viewer = { type: string }
interface Owner { account_id: string, owner_id: string, product_id: string, tier_level: 1 | 2 }

/** The parameters of configurations or of their requests, each of its own level, as a viewer may see them. */
export async function tierParams (db: Reader, keyring: Keyring, viewer: Viewer, owners: readonly Owner[]): Promise<(owner: Owner) => ReturnType<ParamsOf>> {
  const side = viewer.type === 'provider' ? 'provider' : 'vendor'
  const of = async (level: 1 | 2): Promise<ParamsOf> => {
    const ofLevel = owners.filter(({ tier_level }) => tier_level === level)
    return readValues(db, keyring, ofLevel, { scopes: [`tier${level}`], side })
  }
  const [tier1, tier2] = [await of(1), await of(2)]
  return (owner) => owner.tier_level === 1 ? tier1(owner) : tier2(owner)
}

/** What whoever is set up is told: the template or text of the approval, rendered when it is read. Null: there is none. */
export function shownTemplate (keyring: Keyring, row: { account_id: string, id: string } & Pick<ConfigRow, 'template_id' | 'template_body' | 'template_name' | 'sealed_tile'>, params: ReturnType<ParamsOf>) {
  const { account_id, id, template_id, template_body, template_name, sealed_tile } = row
  if (template_body === null && sealed_tile === null) return null
  return { id: template_id ?? '', name: template_name ?? '', representation: renderedText(keyring, { account_id, owner_id: id, template_body, sealed_tile }, params) }
}

/** Tier configurations as clients read them, in their order, in a constant number of statements. */
export async function configDocuments (db: Reader, keyring: Keyring, viewer: Viewer, rows: readonly ConfigRow[]): Promise<TierConfigDocument[]> {
  const ownerOf = ({ id, ...row }: ConfigRow): Owner => ({ ...row, owner_id: id })
  const accountOf = await fullTierDocuments(db, rows.map(({ provider_id, tier_account_id }) => ({ provider_id, id: tier_account_id })))
  const paramsOf = await tierParams(db, keyring, viewer, rows.map(ownerOf))
  const configuration = await configurationOf(db, rows)
  return rows.map((row) => {
    const params = paramsOf(ownerOf(row))
    return {
      id: row.id,
      name: `Configuration of ${row.account_name}`,
      status: row.status,
      account: accountOf(row.provider_id, row.tier_account_id)!,
      product: { id: row.product_id, icon: row.product_icon, name: row.product_name, status: row.product_status },
      tier_level: row.tier_level,
      connection: connectionBody(row),
      params,
      template: shownTemplate(keyring, row, params),
      open_request: row.open_request_id === null ? null : { id: row.open_request_id },
      contract: row.contract_id === null ? null : { id: row.contract_id, name: row.contract_name ?? '' },
      marketplace: row.marketplace_id === null ? null : { id: row.marketplace_id, name: row.marketplace_name ?? '', icon: row.marketplace_icon ?? '' },
      configuration: { params: configuration(row) },
      events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
    }
  })
}
