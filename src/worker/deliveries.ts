import type { Config } from '../config.js'
import { claimDeliveries, type ClaimedDelivery } from '../deliveries/claim.js'
import { sendDelivery, type OpenPost } from '../deliveries/send.js'
import { readMailbox } from '../mailer/address.js'
import type { Outgoing } from './send-all.js'

/** The right-hand side of our Message-IDs. */
export function domainOf ({ mail_from }: Pick<Config, 'mail_from'>): string {
  const { address } = readMailbox(mail_from)
  return address.slice(address.indexOf('@') + 1)
}

/** A worker holds what its connections send in so much time, by what they sent last: more would wait for it while another worker could send them. */
const AHEAD_MS = 1000
/** …and so many for each connection at most. */
const AHEAD_MAX = 64

/** How many mails to hold: one for each connection at least, since nothing is known of a server that answers slowly. */
function reach (connections: number): { readonly size: number, ended: () => void } {
  let ends: number[] = []
  return {
    get size () {
      const since = performance.now() - AHEAD_MS
      ends = ends.filter((end) => end > since)
      return Math.min(Math.max(ends.length, connections), AHEAD_MAX * connections)
    },
    ended () { ends.push(performance.now()) },
  }
}

/**
 * The mails that hand over keys.
 *
 * @throws Error when MAIL_FROM is not one mail address
 */
export function deliveries (post: OpenPost, config: Pick<Config, 'mail_from' | 'worker_concurrency'>): Outgoing<ClaimedDelivery> {
  const [held, domain] = [reach(config.worker_concurrency), domainOf(config)]
  return {
    name: 'send deliveries',
    get concurrency () { return held.size },
    // where mails go fast, few claims of many cost less than many of one
    get room_min () { return held.size > config.worker_concurrency ? Math.ceil(held.size / 4) : 1 },
    claim: (trx, busy) => claimDeliveries(trx, { limit: held.size - busy.length, lease_ms: post.lease_ms, domain }),
    async send (delivery, cut) {
      await sendDelivery(post, delivery, cut)
      held.ended()
    },
  }
}
