// The state machine of requests, in one place: docs/lifecycles.md draws it, migrations/0009_requests.sql holds the same pairs.
import { Problem } from '../problems.js'

export type RequestType = 'purchase' | 'change' | 'suspend' | 'resume' | 'cancel' | 'adjustment'
export type Status = 'draft' | 'tiers_setup' | 'pending' | 'inquiring' | 'approved' | 'failed' | 'scheduled' | 'revoking' | 'revoked'
export type AssetStatus = 'draft' | 'processing' | 'active' | 'suspended' | 'terminating' | 'terminated'
/** Who may make a move. A buyer acts for the provider. */
export type Side = 'vendor' | 'provider' | 'service'

export interface Move { verb: string, from: Status, by: readonly Side[], to: readonly Status[] }

/** Every move there is. Where it leads to several states, the request decides: its tiers first, then its ordering parameters. */
export const MOVES = [
  { verb: 'purchase', from: 'draft', by: ['provider'], to: ['pending', 'tiers_setup', 'inquiring'] },
  { verb: 'submit', from: 'draft', by: ['provider', 'vendor'], to: ['pending', 'tiers_setup', 'inquiring'] },
  { verb: 'set_up_tiers', from: 'pending', by: ['service'], to: ['tiers_setup'] },
  { verb: 'advance', from: 'tiers_setup', by: ['service'], to: ['pending', 'inquiring'] },
  { verb: 'give_up', from: 'tiers_setup', by: ['service'], to: ['failed'] },
  { verb: 'approve', from: 'pending', by: ['vendor', 'service'], to: ['approved'] },
  { verb: 'fail', from: 'pending', by: ['vendor'], to: ['failed'] },
  { verb: 'fail', from: 'inquiring', by: ['vendor'], to: ['failed'] },
  { verb: 'inquire', from: 'pending', by: ['vendor'], to: ['inquiring'] },
  { verb: 'pend', from: 'inquiring', by: ['vendor', 'provider'], to: ['pending'] },
  { verb: 'pend', from: 'scheduled', by: ['vendor', 'service'], to: ['pending'] },
  { verb: 'schedule', from: 'pending', by: ['vendor'], to: ['scheduled'] },
  { verb: 'revoke', from: 'scheduled', by: ['provider'], to: ['revoking'] },
  { verb: 'confirm', from: 'revoking', by: ['vendor'], to: ['revoked'] },
] as const satisfies readonly Move[]

export type Verb = typeof MOVES[number]['verb']

/** What a request needs of its asset and does to it. `same`: the asset stays as it is; `before`: as it was before the request. */
interface Effect { needs: readonly AssetStatus[], opened: AssetStatus | 'same', approved: AssetStatus | 'same', ended: AssetStatus | 'before' }

/** `opened`: when it leaves draft; `ended`: failed or revoked. */
export const EFFECTS: Record<RequestType, Effect> = {
  purchase: { needs: ['draft'], opened: 'processing', approved: 'active', ended: 'terminated' },
  change: { needs: ['active'], opened: 'same', approved: 'same', ended: 'before' },
  adjustment: { needs: ['active'], opened: 'same', approved: 'same', ended: 'before' },
  suspend: { needs: ['active'], opened: 'same', approved: 'suspended', ended: 'before' },
  resume: { needs: ['suspended'], opened: 'same', approved: 'active', ended: 'before' },
  cancel: { needs: ['active', 'suspended'], opened: 'terminating', approved: 'terminated', ended: 'before' },
}

/** Where parameters and notes may be written, by whom: not a move, the state stays. A draft is its maker's. */
const WRITABLE: Record<Side, readonly Status[]> = { vendor: ['pending', 'inquiring'], provider: ['inquiring'], service: [] }

/** At most one request of an asset is in one of these. */
export const OPEN: readonly Status[] = ['tiers_setup', 'pending', 'inquiring', 'scheduled', 'revoking']

/** Who asks for a type of request, and to whom its draft belongs. */
export const makerOf = (type: RequestType): Side => type === 'adjustment' ? 'vendor' : 'provider'

interface Standing { id: string, type: RequestType, status: Status }

/**
 * The move that a verb is from where the request stands.
 *
 * @throws Problem wrong-side  it is for the other side
 * @throws Problem illegal-transition  not from this state
 */
export function findMove (request: Standing, verb: Verb, by: Side): Move {
  const moves: readonly Move[] = MOVES.filter((move) => move.verb === verb)
  assertSide(verb, by, verb === 'submit' ? [makerOf(request.type)] : moves.flatMap((move) => move.by))
  if ((verb === 'purchase') !== (request.type === 'purchase') && (verb === 'purchase' || verb === 'submit')) {
    throw illegal(request, verb, `a request of type ${request.type} leaves draft by ${verb === 'purchase' ? 'submit' : 'purchase'}`)
  }
  const move = moves.find(({ from, by: sides }) => from === request.status && sides.includes(by))
  if (move === undefined) throw illegal(request, verb, `that is possible while it is ${orOf(moves.filter((each) => each.by.includes(by)).map(({ from }) => from))}`)
  return move
}

/** @throws Problem wrong-side */
export function assertSide (verb: string, by: Side, sides: readonly Side[]): void {
  if (!sides.includes(by)) throw new Problem('wrong-side', { detail: `${verb} is for the ${orOf([...new Set(sides)].filter((side) => side !== 'service'))}`, params: { verb } })
}

/**
 * @throws Problem illegal-transition
 */
export function assertStatus (request: Standing, verb: string, possible: readonly Status[]): void {
  if (!possible.includes(request.status)) throw illegal(request, verb, `that is possible while it is ${orOf(possible)}`)
}

/**
 * Refuses values and a note that this side may not write now.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export function assertWritable (request: Standing, by: Side): void {
  if (request.status === 'draft') assertSide('update', by, [makerOf(request.type)])
  else assertStatus(request, 'update', WRITABLE[by])
}

/** The asset's status after a move of its request to `status`; undefined: it stays. `before`: the status before the request. */
export function assetStatusAfter (type: RequestType, from: Status | null, status: Status, before: AssetStatus | null): AssetStatus | undefined {
  const { opened, approved, ended } = EFFECTS[type]
  if (status === 'approved') return approved === 'same' ? undefined : approved
  if (status === 'failed' || status === 'revoked') return ended === 'before' ? before ?? undefined : ended
  return from === 'draft' && opened !== 'same' ? opened : undefined
}

const orOf = (words: readonly string[]): string => words.join(' or ')

function illegal ({ id, status }: Standing, verb: string, remedy: string): Problem {
  const detail = `${id} is ${status}: it cannot be moved by ${verb}; ${remedy}`
  return new Problem('illegal-transition', { detail, errors: [detail], params: { request_id: id, request_status: status, verb } })
}
