import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { accountBody, accountsQuery } from './find-account.js'
import type { BriefTierDocument, TierDocument } from './schema.js'

/** Ids are unique within a provider only. */
interface TierKey { provider_id: string, id: string | null }
/** What one of the accounts looks like; undefined for an id that is null or was not asked for. */
export type TierOf<Document> = (provider_id: string, id: string | null) => Document | undefined

const condition = (keys: readonly TierKey[]) =>
  sql<boolean>`(a.provider_id, a.id) in (select * from unnest(${keys.map((key) => key.provider_id)}::text[], ${keys.map((key) => key.id)}::text[]))`

const lookup = <Document>(documents: Map<string, Document>): TierOf<Document> => (provider_id, id) => documents.get(`${provider_id}/${id}`)

/** Tier accounts as they stand inside requests and assets, any number in one statement. */
export async function tierDocuments (db: Reader, keys: readonly TierKey[]): Promise<TierOf<BriefTierDocument>> {
  const rows = keys.some(({ id }) => id !== null)
    ? await db.selectFrom('tier_accounts as a').select(['a.provider_id', 'a.id', 'a.external_id', 'a.external_uid', 'a.name', 'a.tax_id'])
      .select((row) => row.ref('a.contact_info').$castTo<TierDocument['contact_info']>().as('contact_info')).where(condition(keys)).execute()
    : []
  return lookup(new Map(rows.map(({ provider_id, ...document }) => [`${provider_id}/${document.id}`, document])))
}

/** Tier accounts in full, as tier configurations and their requests show them. */
export async function fullTierDocuments (db: Reader, keys: readonly TierKey[]): Promise<TierOf<TierDocument>> {
  const rows = keys.some(({ id }) => id !== null) ? await accountsQuery(db).where(condition(keys)).execute() : []
  return lookup(new Map(rows.map((row) => [`${row.provider_id}/${row.id}`, accountBody(row)])))
}
