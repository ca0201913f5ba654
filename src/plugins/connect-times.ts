import type { FastifyInstance } from 'fastify'
import { connectTime } from '../connect-time.js'

/** Puts Connect's form of a moment in place of each Date of an answer. The answer is the request's own. */
function write (answer: unknown): void {
  if (typeof answer !== 'object' || answer === null) return
  const members = answer as Record<string, unknown>
  for (const name of Object.keys(members)) {
    const value = members[name]
    if (value instanceof Date) members[name] = connectTime(value)
    else if (typeof value === 'object') write(value)
  }
}

/** Has all answers of this scope write times as Connect does: for the resources that Connect has. */
export function connectTimes (scope: FastifyInstance): void {
  scope.addHook('preSerialization', async (_request, _reply, answer) => {
    if (!(answer instanceof Date)) write(answer)
    return answer
  })
}
