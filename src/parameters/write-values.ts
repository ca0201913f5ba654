import { isDeepStrictEqual } from 'node:util'
import type { RawBuilder, SqlBool, Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { joinPhone, shown } from './check-structured.js'
import { checkValue, isBlank, isEmpty, isStructured } from './check-value.js'
import type { Definition } from './definitions.js'
import { findTaken, TAKEN, type Candidate } from './find-taken.js'
import { VALUE_ERROR_MAX, VALUE_MAX, type ParamWrite } from './schema.js'
import { keepValues, storedValues, type NewValue, type Owner, type StoredValue } from './stored-values.js'

export interface Target extends Owner {
  /** of the scopes that are written here, locked (lockDefinitionsOf) */
  definitions: readonly Definition[]
  /** strict: a wrong value is refused. validate: it is kept, with what is wrong as its `value_error` */
  mode: 'strict' | 'validate'
  /**
   * the provider changes what buyers give and what is shared with it to edit; a proposer, who asks for something new, everything; both
   * nothing that is readonly
   */
  side: 'vendor' | 'provider' | 'proposer'
  /** a condition on `v.owner_id`: these owners must not have the same values of parameters that are unique */
  others: RawBuilder<SqlBool>
  /** where the parameters are in the body, for messages */
  path?: string
}

/** Names of parameters: those whose value or error is another now, and those whose value is wrong (mode validate). */
export interface Written { changed: string[], faulty: string[] }

/**
 * Writes values and value errors of the parameters that are named; the others stay. A value cleared is "" or null. A new value clears the
 * error it had, unless the write brings another. What equals what is there changes nothing: clients post whole objects back.
 * The caller has locked the owner.
 *
 * @throws Problem validation-failed  an unknown parameter, a value that is wrong or that another has (mode strict), one that is not for this side to write
 */
export async function writeValues (trx: Transaction<Database>, keyring: Keyring, target: Target, writes: readonly ParamWrite[]): Promise<Written> {
  const { path = 'asset.params' } = target
  const matched = match(target, writes, path)
  const changes: Change[] = []
  if (matched.size > 0) {
    const stored = new Map((await storedValues(trx, keyring, [target])).map((value) => [value.parameter_id, value]))
    const taken = await findTaken(trx, target.account_id, target.others, candidatesOf(target, matched, stored))
    for (const [definition, write] of matched) {
      changes.push(changeOf({ definition, write, stored: stored.get(definition.id), isTaken: taken.has(definition.id) }, target))
    }
  }
  const faults = changes.filter(({ refusal }) => refusal !== undefined).map(({ name, refusal }) => `${path}.${name}: ${refusal}`)
  if (faults.length > 0) throw new Problem('validation-failed', { detail: faults.join('; '), errors: faults })
  const changed = changes.filter(({ isChanged }) => isChanged)
  await keepValues(trx, keyring, target, changed.map(({ value }) => value))
  return { changed: changed.map(({ name }) => name), faulty: changes.filter(({ isFaulty }) => isFaulty).map(({ name }) => name) }
}

/** By name; or by PRM id; or, of a whole product parameter, by its `name`. The last write on a parameter counts. */
function match ({ definitions }: Target, writes: readonly ParamWrite[], path: string): Map<Definition, ParamWrite> {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]))
  const byId = new Map(definitions.map((definition) => [definition.id, definition]))
  const scopes = new Set<unknown>(definitions.map(({ scope }) => scope))
  const matched = new Map<Definition, ParamWrite>()
  const faults: string[] = []
  for (const write of writes) {
    const { scope = null } = write
    const definition = byName.get(write.id ?? '') ?? byId.get(write.id ?? '') ?? byName.get(write.name ?? '')
    if (definition !== undefined) matched.set(definition, write)
    else if (scope === null || scopes.has(scope)) faults.push(`${path}: there is no parameter ${shown(write.id ?? write.name ?? '')}; there are ${[...byName.keys()].join(', ') || 'none'}`)
  }
  if (faults.length > 0) throw new Problem('validation-failed', { detail: faults.join('; '), errors: faults })
  return matched
}

type Stored = ReadonlyMap<string, StoredValue>

/** The new values of parameters that are unique; to validate, those that it has too. */
function candidatesOf ({ mode }: Target, matched: ReadonlyMap<Definition, ParamWrite>, stored: Stored): Candidate[] {
  return [...matched].filter(([{ constraints }]) => constraints.unique).flatMap(([definition, write]) => {
    const { text = '' } = givenValue(definition, write) ?? {}
    const isOld = mode === 'strict' && text === stored.get(definition.id)?.text
    return text === '' || isOld ? [] : [{ parameter_id: definition.id, text }]
  })
}

interface Change { name: string, value: NewValue, isChanged: boolean, isFaulty: boolean, refusal: string | undefined }
const NOTHING = { text: '', structured_value: null, value_error: '', structured_error: null }

interface Wanted { definition: Definition, write: ParamWrite, stored: StoredValue | undefined, isTaken: boolean }

function changeOf ({ definition, write, stored, isTaken }: Wanted, { mode, side }: Target): Change {
  const { text, structured_value, value_error, structured_error } = stored ?? NOTHING
  const before = { text, structured_value, value_error, structured_error }
  const given = { ...before, ...givenValue(definition, write) }
  const isNew = given.text !== text || !isDeepStrictEqual(given.structured_value, structured_value)
  const wrong = saysValue(write) && (isNew || mode === 'validate') ? checkValue(definition, write) ?? (isTaken ? TAKEN : undefined) : undefined
  const after = { ...given, ...errorsOf(write, before, { isNew, wrong }) }
  const refusal = isNew && !isOpenTo(side, definition)
    ? 'is written by the vendor'
    : wrong !== undefined && (mode === 'strict' || cannotBeKept(given.text)) ? wrong : tooLongAnError(after.value_error)
  return {
    name: definition.name,
    value: { ...after, parameter_id: definition.id, secret: definition.secret },
    isChanged: !isDeepStrictEqual(after, before),
    isFaulty: after.value_error !== '' || after.structured_error !== null,
    refusal,
  }
}

const saysValue = ({ value, structured_value }: ParamWrite): boolean => value !== undefined || structured_value !== undefined
const isOpenTo = (side: Target['side'], { phase, constraints: { readonly, shared } }: Definition): boolean =>
  side === 'vendor' || (!readonly && (side === 'proposer' || phase === 'ordering' || shared === 'edit'))
const cannotBeKept = (text: string): boolean => [...text].length > VALUE_MAX
const tooLongAnError = (value_error: string): string | undefined =>
  [...value_error].length > VALUE_ERROR_MAX ? `value_error must not be longer than ${VALUE_ERROR_MAX} characters` : undefined

/** What a write says of the value. Of a telephone number the parts count, and the text is made of them. */
function givenValue (definition: Definition, write: ParamWrite): Pick<StoredValue, 'text' | 'structured_value'> | undefined {
  const { value, structured_value } = write
  if (!saysValue(write)) return undefined
  if (isBlank(definition, structured_value)) return { text: value ?? '', structured_value: null }
  const isPhone = definition.type === 'phone' && checkValue(definition, write) === undefined
  return { text: isPhone ? joinPhone(structured_value as object) : isStructured(definition) ? '' : value ?? '', structured_value: structured_value as object }
}

/** The error that a write leaves: one of its own, what the check found, none on a new value; else the one there was. */
function errorsOf (
  { value_error, structured_error }: ParamWrite, before: Pick<NewValue, 'value_error' | 'structured_error'>, { isNew, wrong }: { isNew: boolean, wrong: string | undefined }
): Pick<NewValue, 'value_error' | 'structured_error'> {
  const kept = isNew ? { value_error: '', structured_error: null } : before
  const isEcho = isNew && (value_error ?? '') === before.value_error
  return {
    value_error: wrong ?? (value_error === undefined || isEcho ? kept.value_error : value_error ?? ''),
    structured_error: structured_error === undefined ? kept.structured_error : isEmpty(structured_error) ? null : structured_error as object,
  }
}
