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

/** Reads a form that was sent: what is to be written, which is what differs from what was there, and what is wrong. An empty secret keeps its value. */
export function readAnswers ({ params, secrets }: Asked, fields: Fields, words: FormWords, parseJson: ParseJson): Answers {
  const answers: Answers = { writes: [], faults: new Map() }
  for (const param of params.filter(isAnswered)) {
    const answer = answerOf(param, fields, { parseJson, isSecret: secrets.includes(param.id) })
    if (answer === NOT_JSON) {
      answers.faults.set(param.id, words.not_json)
      continue
    }
    const filled = fieldsOf({ ...param, value: answer.value ?? '', structured_value: answer.structured_value ?? {} })
    const isBlank = filled.every(([, values]) => values.every((value) => value === ''))
    if (isBlank && param.value !== '' && secrets.includes(param.id)) continue
    const fault = isBlank ? (constraintsOf(param).required ? words.missing : undefined) : faultOf(param, answer, words)
    if (fault !== undefined) answers.faults.set(param.id, fault)
    else if (!isDeepStrictEqual(filled, fieldsOf(param))) answers.writes.push({ id: param.id, ...answer })
  }
  return answers
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
