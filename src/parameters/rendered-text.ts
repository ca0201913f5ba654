import type { Keyring } from '../sealing.js'
import { joinAddress, joinPhone } from './check-structured.js'
import { renderTemplate } from './render-template.js'
import type { Param } from './schema.js'
import type { Owner } from './stored-values.js'
import { openTile } from './tile.js'

/** Where an owner keeps what the customer is told: the body of a template, or the sealed text that came with an approval instead. */
export interface Told extends Owner { template_body: string | null, sealed_tile: Buffer | null }

/**
 * What the customer is told, rendered with the parameters as the reader is shown them; "" without a text. It may hold keys, so it is made
 * when it is read and never stored. `more`: values that are no parameters, for example activation_form_url.
 */
export function renderedText (keyring: Keyring, told: Told, params: readonly Param[], more: Readonly<Record<string, string>> = {}): string {
  if (told.sealed_tile !== null) return openTile(keyring, told.account_id, told.owner_id, told.sealed_tile)
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
    case 'address': return joinAddress(structured_value)
    case 'phone': return joinPhone(structured_value)
    default: return JSON.stringify(structured_value)
  }
}
