import { invalid, Problem } from '../problems.js'
import type { Party } from '../accounts/seen-by.js'

/** The moments of a row as Connect shows them. */
export function eventsOf ({ created_at, updated_at }: { created_at: Date, updated_at: Date }) {
  return { created: { at: created_at }, updated: { at: updated_at } }
}

/** @throws Problem forbidden  what a provider sells on is arranged by its vendor */
export function vendorOnly ({ type }: Party): void {
  if (type !== 'vendor') throw new Problem('forbidden', 'only the vendor of the product does this')
}

/** @throws Problem forbidden  hubs and marketplaces are written by their provider, or by the operator for it */
export function notForVendors ({ type }: Party): void {
  if (type === 'vendor') throw new Problem('forbidden', 'only a provider, or the operator for it, does this')
}

/**
 * The provider whose hub or marketplace is to be made: the caller, or whom the operator names.
 *
 * @throws Problem forbidden  to a vendor
 * @throws Problem validation-failed  the operator named none
 */
export function writingProvider (caller: Party, owner: { id: string } | undefined): string {
  notForVendors(caller)
  if (caller.type === 'provider') return caller.id
  if (owner === undefined) throw invalid('owner.id: is required: name the provider whose it is to be')
  return owner.id
}
