import { SignJWT } from 'jose'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { open, type Keyring } from '../../sealing.js'
import type { ProductCaller, ProductKey } from '../find.js'

const LIFETIME_S = 600 // long enough to be redirected and log in, too short to be passed on

/** What a sealed secret of an action is bound to. */
export const secretContext = ({ account_id, product_id }: ProductKey, id: string): string[] => [account_id, product_id, id]

interface LinkWanted { caller: ProductCaller, key: ProductKey, id: string, asset_id?: string | undefined, tier_config_id?: string | undefined }

/**
 * The URL of an action with a `jwt` in its query, which says for which asset or tier configuration of the caller's it was asked.
 * The token holds ids only: HS256 with the secret of the action, `iss` the service, `sub` what it is for, good for ten minutes.
 *
 * @throws Problem validation-failed  the scope of the action asks for the other id
 * @throws Problem action-not-found
 * @throws Problem asset-not-found
 * @throws Problem tier-config-not-found
 */
export async function linkOfAction (
  db: Reader, { keyring, issuer }: { keyring: Keyring, issuer: string }, { caller, key, ...wanted }: LinkWanted
): Promise<string> {
  const action = await db.selectFrom('product_actions').select(['id', 'action', 'scope', 'url', 'sealed_secret'])
    .where('account_id', '=', key.account_id).where('product_id', '=', key.product_id).where('id', '=', wanted.id).executeTakeFirst()
  if (action === undefined) throw new Problem('action-not-found')
  const subject = await subjectOf(db, { caller, key, ...wanted }, action.scope)
  const token = await new SignJWT({ ...subject, action_id: action.id, action: action.action, product_id: key.product_id, account_id: caller.id })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setIssuedAt().setExpirationTime(`${LIFETIME_S}s`).setIssuer(issuer).setSubject(Object.values(subject)[0] ?? '')
    .sign(open(keyring, secretContext(key, action.id), action.sealed_secret))
  const link = new URL(action.url)
  link.searchParams.set('jwt', token)
  return link.href
}

async function subjectOf (db: Reader, { caller, key, asset_id, tier_config_id }: Omit<LinkWanted, 'id'>, scope: string): Promise<Record<string, string>> {
  const { account_id, product_id } = key
  const ownColumn = caller.type === 'provider' ? 'provider_id' : 'account_id'
  if (scope === 'asset') {
    if (asset_id === undefined) throw missing('asset_id', scope)
    const asset = await db.selectFrom('assets').select('id').where('account_id', '=', account_id).where('id', '=', asset_id)
      .where('product_id', '=', product_id).where(ownColumn, '=', caller.id).executeTakeFirst()
    if (asset === undefined) throw new Problem('asset-not-found')
    return { asset_id }
  }
  if (tier_config_id === undefined) throw missing('tier_config_id', scope)
  const config = await db.selectFrom('tier_configs').select('id').where('account_id', '=', account_id).where('id', '=', tier_config_id)
    .where('product_id', '=', product_id).where(ownColumn, '=', caller.id).where('tier_level', '=', scope === 'tier1' ? 1 : 2).executeTakeFirst()
  if (config === undefined) throw new Problem('tier-config-not-found')
  return { tier_config_id }
}

function missing (field: string, scope: string): Problem {
  const fault = `${field}: is required, since the action is for ${scope === 'asset' ? 'an asset' : `a reseller of ${scope}`}`
  return new Problem('validation-failed', { detail: fault, errors: [fault] })
}
