import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { invalid } from '../problems.js'
import { move } from './move.js'
import { readMoment } from './read-moment.js'
import type { Actor, RequestRow } from './request-row.js'
import { findMove } from './transitions.js'

/**
 * Puts a locked request off to a date, on which it becomes pending again (become-due.ts).
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  no date, or one that is past
 */
export async function scheduleRequest (trx: Transaction<Database>, request: RequestRow, actor: Actor, date: string | null | undefined): Promise<RequestRow> {
  findMove(request, 'schedule', actor.side)
  const planned_date = readMoment('planned_date', date)
  if (planned_date === undefined) throw invalid('planned_date: is required')
  if (planned_date.getTime() <= Date.now()) throw invalid('planned_date: must be in the future')
  return move(trx, request, 'schedule', actor, { set: { planned_date } })
}
