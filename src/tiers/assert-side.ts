import { Problem } from '../problems.js'

/** @throws Problem wrong-side  the operation is for the other side of a sale */
export function assertSide (caller: { type: string }, side: 'vendor' | 'provider'): void {
  if (caller.type !== side) throw new Problem('wrong-side', `this is for the ${side}`)
}
