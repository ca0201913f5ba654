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

/**
 * The mails that hand over keys.
 *
 * @throws Error when MAIL_FROM is not one mail address
 */
export function deliveries (post: OpenPost, config: Pick<Config, 'mail_from' | 'worker_concurrency'>): Outgoing<ClaimedDelivery> {
  const [concurrency, domain] = [config.worker_concurrency, domainOf(config)]
  return {
    name: 'send deliveries',
    concurrency,
    claim: (trx, busy) => claimDeliveries(trx, { limit: concurrency - busy.length, lease_ms: post.lease_ms, domain }),
    send: (delivery, cut) => sendDelivery(post, delivery, cut),
  }
}
