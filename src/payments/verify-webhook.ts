import type { Checkout, RawWebhook, Verified } from './checkout.js'
import { checkSender } from './check-sender.js'
import { checkouts } from './checkouts.js'
import type { OpenSource } from './find-source.js'

/** Whether it is the call by which the checkout tries the URL. */
export function isPing ({ kind }: Pick<OpenSource, 'kind'>, webhook: RawWebhook): boolean {
  const checkout: Checkout = checkouts[kind]
  return checkout.isPing?.(webhook) === true
}

/** What a webhook is answered that is kept and not processed: some checkouts take only 200 for an answer. */
export function keptStatus ({ kind }: Pick<OpenSource, 'kind'>): 200 | 202 {
  const checkout: Checkout = checkouts[kind]
  return checkout.kept_status ?? 202
}

/**
 * That a webhook is signed with one of the source's secrets, in time, and comes from where it may.
 *
 * @throws Problem signature-invalid
 * @throws Problem unavailable  what it is to be checked with could not be fetched
 */
export async function verifyWebhook (
  { kind, options, secrets }: OpenSource, webhook: RawWebhook & { address: string }, fetchText: (url: string) => Promise<string>
): Promise<Verified> {
  checkSender(webhook.address, options.allowed_networks)
  const checkout: Checkout = checkouts[kind]
  const tolerance_ms = options.tolerance_s === undefined ? checkout.tolerance_ms ?? 0 : options.tolerance_s * 1000
  return checkout.verify(webhook, secrets, { now: new Date(), tolerance_ms, fetchText, api_url: options.api_url })
}
