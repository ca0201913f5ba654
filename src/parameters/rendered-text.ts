import { open, seal, type Keyring } from '../sealing.js'
import { joinPhone } from './check-structured.js'
import { renderTemplate } from './render-template.js'
import type { Param } from './schema.js'
import type { Owner } from './stored-values.js'

/** Where an owner keeps what the customer is told: the body of a template, or the sealed text that came with an approval instead. */
export interface Told extends Owner { template_body: string | null, sealed_tile: Buffer | null }

const contextOf = ({ account_id, owner_id }: Owner): string[] => [account_id, owner_id, 'tile']

/** Seals a text given with an approval: it may hold a license key. Opens for this owner only. */
export function sealTile (keyring: Keyring, owner: Owner, text: string): Buffer {
  return seal(keyring, contextOf(owner), Buffer.from(text))
}

/** The sealed text of one owner sealed for another. */
export function copyTile (keyring: Keyring, from: Owner, to: Owner, sealed: Buffer): Buffer {
  return sealTile(keyring, to, open(keyring, contextOf(from), sealed).toString())
}

/**
 * What the customer is told, rendered with the parameters as the reader is shown them; "" without a text. It may hold keys, so it is made
 * when it is read and never stored. `more`: values that are no parameters, for example activation_form_url.
 */
export function renderedText (keyring: Keyring, told: Told, params: readonly Param[], more: Readonly<Record<string, string>> = {}): string {
  if (told.sealed_tile !== null) return open(keyring, contextOf(told), told.sealed_tile).toString()
  return told.template_body === null ? '' : renderTemplate(told.template_body, { ...textsOf(params), ...more })
}

/** The value of each parameter as a text to read, by name. */
function textsOf (params: readonly Param[]): Record<string, string> {
  return Object.fromEntries(params.map((param) => [param.id, textOf(param)]))
}

function textOf ({ type, value, structured_value }: Param): string {
  if (structured_value === undefined) return value
  switch (type) {
    case 'checkbox': return Object.entries(structured_value).filter(([, ticked]) => ticked === true).map(([choice]) => choice).join(', ')
    case 'address': return Object.values(structured_value).filter((line) => typeof line === 'string' && line !== '').join(', ')
    case 'phone': return joinPhone(structured_value)
    default: return JSON.stringify(structured_value)
  }
}
