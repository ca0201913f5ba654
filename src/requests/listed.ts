import type { Reader } from '../database/connect.js'
import { requestsOf, type Caller } from './request-row.js'

/** The requests that a caller is listed, with all that lists filter by, in no order. Drafts are their maker's. Joins that nothing names cost nothing. */
export function requestsListedFor (db: Reader, caller: Caller) {
  return requestsOf(db, caller)
    .leftJoin('assets as a', (join) => join.onRef('a.account_id', '=', 'requests.account_id').onRef('a.id', '=', 'requests.asset_id'))
    .leftJoin('products as p', (join) => join.onRef('p.account_id', '=', 'requests.account_id').onRef('p.id', '=', 'requests.product_id'))
    .leftJoin('connections as c', (join) => join.onRef('c.account_id', '=', 'a.account_id').onRef('c.id', '=', 'a.connection_id'))
    .leftJoin('hubs as h', (join) => join.onRef('h.provider_id', '=', 'c.provider_id').onRef('h.id', '=', 'c.hub_id'))
    .leftJoin('marketplaces as m', (join) => join.onRef('m.provider_id', '=', 'a.provider_id').onRef('m.id', '=', 'a.marketplace_id'))
    .leftJoin('tier_accounts as customer', (join) => join.onRef('customer.provider_id', '=', 'a.provider_id').onRef('customer.id', '=', 'a.customer_id'))
    .leftJoin('accounts as vendor', 'vendor.id', 'requests.account_id')
    .leftJoin('accounts as provider', 'provider.id', 'requests.provider_id')
    .leftJoin('api_keys as assignee', 'assignee.id', 'requests.assignee_id')
    .$if(caller.type !== 'provider', (query) => query.where((e) => e.or([e('requests.status', '<>', 'draft'), e('requests.type', '=', 'adjustment')])))
    .$if(caller.type === 'provider', (query) => query.where((e) => e.or([e('requests.status', '<>', 'draft'), e('requests.type', '<>', 'adjustment')])))
}
