const SOLD = '(select min(order_id) from deliveries)'
const said = (columns: string, values: string): string =>
  `insert into payment_facts (account_id, source_id, ref, kind, occurred_at, ${columns}) select account_id, source_id, external_id, 'refunded', now(), ${values} from orders`

/** What breaks each invariant of facts. */
export const factPlants: Record<string, string[]> = {
  'an order stands as all that was said of it says': [
    said('is_full, order_id', 'true, id'),
    said('amount, order_id', '100, id'),
    said('lines, order_id', '\'[{"external_id": "1", "quantity": 1}]\', id'),
    `insert into payment_facts (account_id, source_id, ref, kind, occurred_at, order_id) select account_id, source_id, external_id, 'disputed', now(), id from orders;
     update orders set status = 'disputed'`,
  ],
  'an order of which nothing was said is paid, and nothing of it is over': [
    "update orders set status = 'refunded'",
    'update orders set refunded_amount = 1',
    'update orders set is_held = true',
    'update line_items set ended_units = 1',
  ],
  'of a line as many slots are closed as of its units are over, or have lost their license for good': [
    'update slots set cancelled_at = now() where unit = 1',
    'update line_items set ended_units = 1',
  ],
  'no mail is planned for a license that its order lost': [
    `update allocations set ended_as = 'revoked', ended_at = now() where unit = 1;
     update deliveries set status = 'planned', sent_at = null, next_attempt_at = now()`,
  ],
  'a held order waits for nothing, and no mail of it is planned': [
    `update orders set is_held = true where id <> ${SOLD}`,
    `update orders set is_held = true where id = ${SOLD}; update deliveries set status = 'planned', sent_at = null, next_attempt_at = now()`,
  ],
  'a fact does not wait for an order that is there': [
    said('created_at', "now() - interval '1 day'"),
    `insert into order_refs (account_id, source_id, ref, order_id) select account_id, 'PS-1', 'pay', id from orders limit 1;
     insert into payment_facts (account_id, source_id, ref, kind, occurred_at, created_at)
     select account_id, 'PS-1', 'pay', 'refunded', now(), now() - interval '1 day' from orders limit 1`,
  ],
  'the event of a fact whose order is known is processed': [
    said('event_id, order_id', "'PE-' || id, id"),
    `insert into payment_events (account_id, id, source_id, event_key, type, status, reason, body, occurred_at)
     select account_id, 'PE-' || id, source_id, id, 'x', 'waiting', 'x', '', now() from orders; ${said('event_id, order_id', "'PE-' || id, id")}`,
  ],
}
