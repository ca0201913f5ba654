// The state machine of tier configuration requests, in one place: docs/lifecycles.md draws it, migrations/0008_tiers.sql holds the same pairs.
import { Problem } from '../../problems.js'

export const STATUSES = ['draft', 'tiers_setup', 'pending', 'inquiring', 'approved', 'failed'] as const
export type Status = typeof STATUSES[number]
/** Who may make a move. */
export type Side = 'vendor' | 'provider' | 'service'
/** Who makes one; `key_id` is null for the service itself. */
export interface Actor { side: Side, key_id: string | null }

interface Move { verb: string, from: Status, by: readonly Side[], to: readonly Status[] }

/** Every move there is. Where it leads to several states, the request decides: the reseller above first, then its ordering parameters. */
export const MOVES = [
  { verb: 'submit', from: 'draft', by: ['provider', 'vendor', 'service'], to: ['pending', 'inquiring', 'tiers_setup'] },
  { verb: 'advance', from: 'tiers_setup', by: ['service'], to: ['pending', 'inquiring'] },
  { verb: 'give_up', from: 'tiers_setup', by: ['service'], to: ['failed'] },
  { verb: 'approve', from: 'pending', by: ['vendor'], to: ['approved'] },
  { verb: 'fail', from: 'pending', by: ['vendor'], to: ['failed'] },
  { verb: 'fail', from: 'inquiring', by: ['vendor'], to: ['failed'] },
  { verb: 'inquire', from: 'pending', by: ['vendor'], to: ['inquiring'] },
  { verb: 'pend', from: 'inquiring', by: ['vendor', 'provider'], to: ['pending'] },
] as const satisfies readonly Move[]
export type Verb = typeof MOVES[number]['verb']

/** At most one request of a configuration is in one of these. */
export const OPEN: readonly Status[] = ['tiers_setup', 'pending', 'inquiring']

/** Where parameters and notes may be written, by whom: not a move, the state stays. */
export const WRITABLE: Record<Exclude<Side, 'service'>, readonly Status[]> = { vendor: ['draft', 'pending', 'inquiring'], provider: ['draft', 'inquiring'] }

interface Standing { id: string, status: Status }

/**
 * Where a verb leads from where the request stands.
 *
 * @throws Problem wrong-side  it is for the other side
 * @throws Problem illegal-transition  not from this state
 */
export function findMove (request: Standing, verb: Verb, side: Side): readonly Status[] {
  const moves: readonly Move[] = MOVES.filter((move) => move.verb === verb)
  const sides = new Set(moves.flatMap(({ by }) => by))
  if (!sides.has(side)) throw new Problem('wrong-side', { detail: `${verb} is for the ${[...sides].join(' or the ')}`, params: { verb } })
  assertStatus(request, verb, moves.map(({ from }) => from))
  return moves.find(({ from }) => from === request.status)!.to
}

/** @throws Problem illegal-transition */
export function assertStatus ({ id, status }: Standing, verb: string, possible: readonly Status[]): void {
  if (possible.includes(status)) return
  const detail = `${id} is ${status}: ${verb} is possible while it is ${possible.join(' or ')}`
  throw new Problem('illegal-transition', { detail, errors: [detail], params: { request_id: id, request_status: status, verb } })
}
