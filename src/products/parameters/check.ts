import { checkValue, isStructured } from '../../parameters/check-value.js'
import { SCOPES, type PHASES, type TYPES } from '../../parameters/schema.js'
import { constraintsBody, type StoredConstraints } from './constraints.js'

/** A parameter as it is to be stored. */
export interface ParameterColumns {
  name: string
  title: string
  description: string
  type: typeof TYPES[number]
  scope: typeof SCOPES[number]
  phase: typeof PHASES[number]
  hint: string
  placeholder: string
  constraints: StoredConstraints
  position: number
  secret: boolean
  pool_id: string | null
  test_pool_id: string | null
}

const OF_PURCHASES: readonly string[] = ['asset', 'tier1', 'tier2']
const WITH_CHOICES = ['dropdown', 'choice', 'checkbox']
const WITHOUT_VALUE = ['heading', 'content']
const SEALABLE = ['text', 'password']
/** Names that templates give a meaning of their own, and ids of ours, which requests may write instead of a name. */
const RESERVED = /^(activation_form_url$|PRM-)/

/** What is wrong with a parameter by itself, as sentences with the field in front; none if nothing is. */
export function checkParameter (parameter: ParameterColumns): string[] {
  return [...checkPlace(parameter), ...checkConstraints(parameter), ...checkSecret(parameter)]
}

/** The sentences whose fault is there. */
const said = (...checks: Array<[isWrong: boolean, sentence: string]>): string[] => checks.filter(([isWrong]) => isWrong).map(([, sentence]) => sentence)

function checkPlace ({ name, scope, phase }: ParameterColumns): string[] {
  const isConfiguration = phase === 'configuration'
  const scopes = isConfiguration ? SCOPES.filter((each) => !OF_PURCHASES.includes(each)) : OF_PURCHASES
  return said(
    [RESERVED.test(name), 'name: means something else; use another'],
    [!scopes.includes(scope), `scope: of the phase ${phase} it must be one of ${scopes.join(', ')}`])
}

function checkConstraints (parameter: ParameterColumns): string[] {
  const { type, phase, constraints: { choices, min_length, max_length, required, unique } } = parameter
  const values = choices.map((choice) => choice.value)
  const twice = values.find((value, index) => values.indexOf(value) !== index)
  const takesChoices = WITH_CHOICES.includes(type)
  const takesLength = !isStructured({ type }) && !takesChoices && !WITHOUT_VALUE.includes(type)
  return [
    ...said(
      [takesChoices && values.length === 0, `constraints.choices: a ${type} needs some`],
      [!takesChoices && values.length > 0, `constraints.choices: a ${type} has none; leave them out`],
      [twice !== undefined, `constraints.choices: ${JSON.stringify(twice)} is there twice`],
      [!takesLength && min_length !== null, `constraints.min_length: a ${type} has no length`],
      [!takesLength && max_length !== null, `constraints.max_length: a ${type} has no length`],
      [min_length !== null && max_length !== null && min_length > max_length, 'constraints.min_length: is more than max_length'],
      [WITHOUT_VALUE.includes(type) && required, `constraints.required: a ${type} has no value`],
      [WITHOUT_VALUE.includes(type) && unique, `constraints.unique: a ${type} has no value`],
      [['checkbox', 'address', 'object'].includes(type) && unique, `constraints.unique: values of a ${type} are not compared`],
      [phase === 'configuration' && unique, 'constraints.unique: there is one value of it'],
      [unique && hasDefault(parameter), 'constraints.default: would be the same for all, but is unique']),
    ...checkDefault(parameter),
  ]
}

const hasDefault = ({ constraints }: ParameterColumns): boolean => (constraints.default ?? '') !== '' || constraints.choices.some((choice) => choice.default)

function checkDefault (parameter: ParameterColumns): string[] {
  const { type, constraints: { default: given } } = parameter
  if (given === null || given === '') return []
  const fault = checkValue({ type, constraints: constraintsBody(parameter.constraints, parameter) }, typeof given === 'string' ? { value: given } : { structured_value: given })
  return fault === undefined ? [] : [`constraints.default: ${fault}`]
}

function checkSecret ({ type, scope, phase, secret, pool_id, test_pool_id, constraints }: ParameterColumns): string[] {
  const bound = pool_id !== null ? 'pool_id' : test_pool_id !== null ? 'test_pool_id' : undefined
  const isOpen = !secret
  return said(
    [bound !== undefined && (phase !== 'fulfillment' || scope !== 'asset'), `${bound}: only a parameter of the phase fulfillment and the scope asset is filled from a pool`],
    [isOpen && type === 'password', 'secret: a password always is; leave it out or true'],
    [isOpen && bound !== undefined, 'secret: what is filled from a pool always is; leave it out or true'],
    [secret && !SEALABLE.includes(type), `${bound ?? 'secret'}: only a text or a password can be secret, not a ${type}`],
    [secret && constraints.unique, 'constraints.unique: values of a secret cannot be compared'],
    [secret && (constraints.default ?? '') !== '', 'constraints.default: would be no secret'])
}
