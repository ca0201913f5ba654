import { open, seal, type Keyring } from '../sealing.js'

const contextOf = (account_id: string, owner_id: string): string[] => [account_id, owner_id, 'activation_tile']

/** Seals a text that a vendor gave with an approval, which may hold a license key. It opens for its owner only: a request, an asset, a tier configuration. */
export function sealTile (keyring: Keyring, account_id: string, owner_id: string, tile: string): Buffer {
  return seal(keyring, contextOf(account_id, owner_id), Buffer.from(tile))
}

export function openTile (keyring: Keyring, account_id: string, owner_id: string, sealed: Buffer): string {
  return open(keyring, contextOf(account_id, owner_id), sealed).toString()
}
