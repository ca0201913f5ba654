import { isDeepStrictEqual } from 'node:util'
import { checkValue } from '../../parameters/check-value.js'
import type { Param, ParamWrite } from '../../parameters/schema.js'
import { Problem } from '../../problems.js'
import { ADDRESS_PARTS, constraintsOf, controlName, fieldsOf, isAnswered, type AddressPart, type Fields } from './fields.js'
import type { FormWords } from './words.js'

/** What a buyer is asked; `secrets`: the names of those whose values are not shown again. */
export interface Asked { params: readonly Param[], secrets: readonly string[] }

/** `faults`: what is wrong, as a sentence without its subject, by the name of the parameter. */
export interface Answers { writes: ParamWrite[], faults: Map<string, string> }

type ParseJson = (bytes: Buffer) => unknown
const NOT_JSON = Symbol('not JSON')

/**
 * Reads a form that was sent: what is to be written, which is what differs from what was there, and what is wrong. What was not sent stays
 * as it is, and a secret that was sent empty.
 */
export function readAnswers ({ params, secrets }: Asked, fields: Fields, words: FormWords, parseJson: ParseJson): Answers {
  const answers: Answers = { writes: [], faults: new Map() }
  for (const param of params.filter(isAnswered)) {
    const { fault, write } = readAnswer(param, fields, { words, parseJson, isSecret: secrets.includes(param.id) })
    if (fault !== undefined) answers.faults.set(param.id, fault)
    else if (write !== undefined) answers.writes.push({ id: param.id, ...write })
  }
  return answers
}

interface Reading { words: FormWords, parseJson: ParseJson, isSecret: boolean }
const isBlank = (filled: ReturnType<typeof fieldsOf>): boolean => filled.every(([, values]) => values.every((value) => value === ''))

function readAnswer (param: Param, fields: Fields, { words, parseJson, isSecret }: Reading): { fault?: string | undefined, write?: Answer } {
  const before = fieldsOf(param)
  const missing = { fault: constraintsOf(param).required ? words.missing : undefined }
  const kept = isBlank(before) ? missing : {}
  if (!before.some(([name]) => fields.has(name))) return kept
  const answer = answerOf(param, fields, { parseJson, isSecret })
  if (answer === NOT_JSON) return { fault: words.not_json }
  const after = fieldsOf({ ...param, value: answer.value ?? '', structured_value: answer.structured_value ?? {} })
  if (isBlank(after)) return isSecret || isBlank(before) ? kept : { ...missing, write: answer }
  return { fault: faultOf(param, answer, words), ...(isDeepStrictEqual(after, before) ? {} : { write: answer }) }
}

/**
 * What the writing of answers refused, by the name of the parameter: that another has the value is found out only there.
 *
 * @throws the error, if it is of another kind
 */
export function refusedAnswers (error: unknown, params: readonly Param[]): Map<string, string> {
  const { errors = [] } = error instanceof Problem ? error.details : {}
  const refused = params.flatMap(({ id }): Array<[string, string]> => {
    const path = `asset.params.${id}: `
    return errors.filter((sentence) => sentence.startsWith(path)).map((sentence) => [id, sentence.slice(path.length)])
  })
  if (refused.length === 0) throw error
  return new Map(refused)
}

interface Answer { value?: string, structured_value?: object | null }

function answerOf (param: Param, fields: Fields, { parseJson, isSecret }: { parseJson: ParseJson, isSecret: boolean }): Answer | typeof NOT_JSON {
  const [given = ''] = fields.get(controlName(param)) ?? []
  switch (param.type) {
    case 'checkbox': {
      const ticked = fields.get(controlName(param)) ?? []
      return { structured_value: Object.fromEntries(param.value_choices.map(({ value }) => [value, ticked.includes(value)])) }
    }
    case 'address': {
      const parts = ADDRESS_PARTS.map((part) => [part, (fields.get(controlName(param, part))?.[0] ?? '').trim()]).filter(([, text]) => text !== '')
      return { structured_value: parts.length === 0 ? null : Object.fromEntries(parts) }
    }
    case 'object': return objectOf(given.trim(), parseJson)
    default: return { value: isSecret ? given : given.replaceAll('\r\n', '\n').trim() }
  }
}

function objectOf (given: string, parseJson: ParseJson): Answer | typeof NOT_JSON {
  if (given === '') return { structured_value: null }
  try {
    const value = parseJson(Buffer.from(given))
    return typeof value === 'object' && value !== null ? { structured_value: value } : NOT_JSON
  } catch (error) {
    if (error instanceof Problem) return NOT_JSON
    throw error
  }
}

/** As of the API, with the words of the form for the parts of an address. */
function faultOf (param: Param, answer: Answer, words: FormWords): string | undefined {
  return checkValue({ type: param.type, constraints: constraintsOf(param) }, answer)?.replace(/^structured_value(?:\.(\w+))?/, (_, part: AddressPart | undefined) =>
    part === undefined ? '' : words.parts[part]).trim()
}
