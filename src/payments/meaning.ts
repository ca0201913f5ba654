import type { Fact } from './checkout.js'

type WithoutFrame<F> = F extends unknown ? Omit<F, 'type' | 'occurred_at' | 'mode'> : never

/** What an event means, apart from the frame that all events of its checkout have. */
export type Meaning = WithoutFrame<Fact>

/** Nothing to do for it here. */
export function ignored (reason: string): Meaning {
  return { kind: 'ignored', reason }
}

/** Of a checkout that has a whole name in one field: what follows the last blank is the last name. */
export function splitName (name: string | null | undefined): { first_name?: string, last_name?: string } {
  const words = (name ?? '').trim().split(/\s+/)
  const last = words.pop() ?? ''
  return words.length === 0 ? { first_name: last } : { first_name: words.join(' '), last_name: last }
}
