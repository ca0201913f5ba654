import { parseJson } from '../plugins/json-body.js'
import { call, isSuccess } from './call.js'
import { connectCall } from './compose.js'
import type { Target } from './find-target.js'
import { countCall } from './finish.js'
import { keptAnswer } from './kept-answer.js'
import type { Outbox } from './send.js'

const BODY_BYTES_MAX = 1024 * 1024 // as much as a request to us may hold

/** The JSON of an answer; undefined: it is none, or holds what cannot be stored. */
function readJson (text: string): unknown {
  try {
    return parseJson(Buffer.from(text))
  } catch {
    return undefined
  }
}

/**
 * Asks a validating webhook about a draft, whole, and returns the JSON it answers, which is not checked. Undefined: the validation could not run,
 * because there was no answer in time, or none of 2xx, or no JSON of up to 1 MiB. Never call it within a transaction: the other side takes its time.
 */
export async function callValidator (
  { db, line, public_url }: Pick<Outbox, 'db' | 'line' | 'public_url'>, target: Target, draft: unknown
): Promise<unknown> {
  const asked = await connectCall(target, public_url, JSON.stringify(draft))
  const called = await call(line, asked, { bytes_max: BODY_BYTES_MAX })
  const answer = isSuccess(called) ? readJson(called.body) : undefined
  const response = isSuccess(called) ? '' : keptAnswer(called.body, asked, target) // a draft that comes back holds values of its parameters
  const error = isSuccess(called) ? null : called.error ?? `the endpoint answered ${called.status_code}`
  await countCall(db, target, { called, response, error })
  return answer
}
