import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { joinPhone } from './check-structured.js'
import type { Definition } from './definitions.js'
import { keepValues, type NewValue, type Owner } from './stored-values.js'

const NOTHING = { secret: false, text: '', structured_value: null, value_error: '', structured_error: null } // of a secret there is no default

/**
 * Gives a new owner what its ordering parameters are when the buyer says nothing: the default, or the choices that are marked so. Written
 * before what the buyer says.
 */
export async function writeDefaults (trx: Transaction<Database>, keyring: Keyring, owner: Owner, definitions: readonly Definition[]): Promise<void> {
  await keepValues(trx, keyring, owner, definitions.filter(({ phase, secret }) => phase === 'ordering' && !secret).flatMap((definition) => {
    const value = defaultOf(definition)
    return value === undefined ? [] : [{ ...NOTHING, ...value, parameter_id: definition.id }]
  }))
}

function defaultOf ({ type, constraints: { default: given, choices } }: Definition): Partial<NewValue> | undefined {
  if (typeof given === 'string' && given !== '') return { text: given }
  if (typeof given === 'object' && given !== null) return { text: type === 'phone' ? joinPhone(given) : '', structured_value: given }
  const marked = choices.find((choice) => choice.default)
  if (marked === undefined) return undefined
  return type === 'checkbox' ? { structured_value: Object.fromEntries(choices.map((choice) => [choice.value, choice.default])) } : { text: marked.value }
}
