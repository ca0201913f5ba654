/**
 * Every refusal of the API: one line here and one `throw new Problem('…')`; a misspelt type does not compile.
 * `type` in an answer is docs/problems.md's anchor for it (RFC 9457 §3.1.1), `error_code` is Connect's field.
 */
export const problems = {
  'validation-failed': { status: 400, error_code: 'VAL_001', title: 'The request is not valid' },
  'malformed-json': { status: 400, error_code: 'VAL_002', title: 'The body is not valid JSON in UTF-8' },
  'malformed-request': { status: 400, error_code: 'VAL_003', title: 'The request could not be read' },
  'text-not-storable': { status: 400, error_code: 'VAL_004', title: 'A text holds a character that cannot be stored' },
  'query-invalid': { status: 400, error_code: 'VAL_001', title: 'The query is not valid' },
  'illegal-transition': { status: 400, error_code: 'REQ_001', title: 'The request cannot be moved so from the state it is in' },
  'load-refused': { status: 400, error_code: 'LIC_004', title: 'The load has lines that cannot be accepted, and strict was asked for' },
  'tier-account-request-closed': { status: 400, error_code: 'TAR_003', title: 'The tier account request is not pending' },
  'tier-account-unchanged': { status: 400, error_code: 'TAR_004', title: 'The tier account is as it was' },
  'parent-not-found': { status: 400, error_code: 'ORD_006', title: 'The order that it renews is not known' },
  'signature-invalid': { status: 401, error_code: 'PAY_001', title: 'The webhook is not signed with a valid secret of this payment source' },
  unauthorized: { status: 401, error_code: 'AUTH_001', title: 'API request is unauthorized.' },
  forbidden: { status: 403, error_code: 'AUTH_002', title: 'The API key lacks the permission for this' },
  'wrong-side': { status: 403, error_code: 'REQ_002', title: 'The other side of the request does this' },
  'permission-exceeded': { status: 403, error_code: 'AUTH_003', title: 'An API key cannot grant what it does not have' },
  'route-not-found': { status: 404, error_code: 'API_001', title: 'There is no such URL' },
  'account-not-found': { status: 404, error_code: 'ACC_001', title: 'There is no such account' },
  'api-key-not-found': { status: 404, error_code: 'AUTH_004', title: 'The account has no such API key' },
  'product-not-found': { status: 404, error_code: 'PRD_001', title: 'The account has no such product' },
  'item-not-found': { status: 404, error_code: 'PRD_003', title: 'The product has no such item' },
  'parameter-not-found': { status: 404, error_code: 'PRD_004', title: 'There is no such parameter' },
  'template-not-found': { status: 404, error_code: 'PRD_005', title: 'The product has no such template' },
  'action-not-found': { status: 404, error_code: 'PRD_006', title: 'The product has no such action' },
  'version-not-found': { status: 404, error_code: 'PRD_007', title: 'The product has no such version' },
  'pool-not-found': { status: 404, error_code: 'POL_001', title: 'The account has no such pool' },
  'batch-not-found': { status: 404, error_code: 'BAT_001', title: 'The account has no such batch' },
  'recall-not-found': { status: 404, error_code: 'BAT_002', title: 'The account has no such recall' },
  'license-not-found': { status: 404, error_code: 'LIC_001', title: 'The account has no such license' },
  'request-not-found': { status: 404, error_code: 'REQ_003', title: 'There is no such request' },
  'asset-not-found': { status: 404, error_code: 'AST_001', title: 'There is no such asset' },
  'billing-request-not-found': { status: 404, error_code: 'BIL_001', title: 'There is no such billing request' },
  'hold-not-found': { status: 404, error_code: 'HLD_001', title: 'The account has no such hold' },
  'order-page-not-found': { status: 404, error_code: 'OPG_001', title: 'The token opens no order page' },
  'order-not-found': { status: 404, error_code: 'ORD_002', title: 'The account has no such order' },
  'payment-source-not-found': { status: 404, error_code: 'PAY_002', title: 'There is no such payment source' },
  'payment-source-secret-not-found': { status: 404, error_code: 'PAY_004', title: 'The payment source has no such secret' },
  'payment-replay-not-found': { status: 404, error_code: 'PAY_005', title: 'The account has no such replay of payment events' },
  'payment-event-not-found': { status: 404, error_code: 'PAY_003', title: 'The account has no such payment event' },
  'supply-order-not-found': { status: 404, error_code: 'SUP_001', title: 'The account has no such supply order' },
  'erasure-not-found': { status: 404, error_code: 'ERA_001', title: 'The account has no such erasure' },
  'delivery-not-found': { status: 404, error_code: 'DEL_001', title: 'The account has no such delivery' },
  'hub-not-found': { status: 404, error_code: 'HUB_001', title: 'The account has no such hub' },
  'marketplace-not-found': { status: 404, error_code: 'MKP_001', title: 'The account has no such marketplace' },
  'contract-not-found': { status: 404, error_code: 'CRD_001', title: 'The account has no such contract' },
  'listing-not-found': { status: 404, error_code: 'LST_001', title: 'The account has no such listing' },
  'connection-not-found': { status: 404, error_code: 'CON_001', title: 'The product has no such connection' },
  'conversation-not-found': { status: 404, error_code: 'CNV_001', title: 'The account has no such conversation' },
  'message-not-found': { status: 404, error_code: 'CNV_002', title: 'The conversation has no such message' },
  'alert-not-found': { status: 404, error_code: 'ALR_001', title: 'The account has no such alert' },
  'event-not-found': { status: 404, error_code: 'EVT_001', title: 'The account has no such event' },
  'tier-account-not-found': { status: 404, error_code: 'TAC_001', title: 'There is no such tier account' },
  'tier-account-request-not-found': { status: 404, error_code: 'TAR_001', title: 'There is no such tier account request' },
  'tier-config-not-found': { status: 404, error_code: 'TCF_001', title: 'There is no such tier configuration' },
  'tier-config-request-not-found': { status: 404, error_code: 'TCR_001', title: 'There is no such tier configuration request' },
  'webhook-not-found': { status: 404, error_code: 'WHK_001', title: 'The account has no such webhook' },
  'webhook-message-not-found': { status: 404, error_code: 'WHK_002', title: 'The webhook has no such message' },
  'method-not-allowed': { status: 405, error_code: 'API_002', title: 'The URL does not take this method' },
  'request-timeout': { status: 408, error_code: 'API_003', title: 'The request took too long to arrive' },
  'asset-exists': { status: 409, error_code: 'REQ_004', title: 'The connection has an asset with this external_uid' },
  'request-open': { status: 409, error_code: 'REQ_005', title: 'Another request is under way on the asset' },
  'hold-exists': { status: 409, error_code: 'HLD_002', title: 'The checkout session has a hold with other content' },
  'hold-committed': { status: 409, error_code: 'HLD_003', title: 'The hold was committed: its licenses are those of an order' },
  'order-exists': { status: 409, error_code: 'ORD_001', title: 'Another order has this external_id, with other content' },
  'order-not-paid': { status: 409, error_code: 'ORD_003', title: 'The order is not paid' },
  'order-of-request': { status: 409, error_code: 'ORD_005', title: 'The order is part of a fulfillment request' },
  'customer-served': { status: 409, error_code: 'ERA_002', title: 'Something of the customer is not delivered, or not over' },
  'customer-erased': { status: 409, error_code: 'ERA_003', title: 'The customer of the order was erased' },
  'payment-event-erased': { status: 409, error_code: 'ERA_004', title: 'The content of the payment event was erased' },
  'nothing-to-send': { status: 409, error_code: 'ORD_004', title: 'The order has no licenses to send' },
  'nothing-to-reveal': { status: 409, error_code: 'OPG_002', title: 'The order page has no license to show for this' },
  'pool-missing': { status: 409, error_code: 'POL_002', title: 'No pool serves this product, currency and mode' },
  'pool-route-taken': { status: 409, error_code: 'POL_003', title: 'Another pool serves the same products, currency and mode' },
  'out-of-stock': { status: 409, error_code: 'LIC_002', title: 'The pool has too few licenses, and its policy is to refuse' },
  'license-not-available': { status: 409, error_code: 'LIC_003', title: 'The license is not in stock' },
  'license-not-allocated': { status: 409, error_code: 'LIC_006', title: 'No order holds the license' },
  'recall-over': { status: 409, error_code: 'BAT_003', title: 'The recall is over' },
  'supply-order-closed': { status: 409, error_code: 'SUP_002', title: 'The supply order is not to be called' },
  'external-id-taken': { status: 409, error_code: 'PRD_002', title: 'Another product has this external id' },
  'name-taken': { status: 409, error_code: 'PRD_012', title: 'Something else of the product has this name' },
  'product-in-use': { status: 409, error_code: 'PRD_008', title: 'The product was used and cannot be deleted' },
  'item-in-use': { status: 409, error_code: 'PRD_009', title: 'The item was used and cannot be deleted' },
  'parameter-in-use': { status: 409, error_code: 'PRD_010', title: 'The parameter has values' },
  'template-in-use': { status: 409, error_code: 'PRD_011', title: 'The template is needed' },
  'contract-exists': { status: 409, error_code: 'CRD_002', title: 'There is a contract for this marketplace' },
  'listing-exists': { status: 409, error_code: 'LST_002', title: 'The product is listed under this contract' },
  'in-use': { status: 409, error_code: 'API_009', title: 'It cannot be deleted, because something depends on it' },
  'conversation-closed': { status: 409, error_code: 'CNV_003', title: 'The conversation is closed' },
  'webhook-not-signed': { status: 409, error_code: 'WHK_003', title: 'The webhook has no signing secret' },
  'webhook-not-sending': { status: 409, error_code: 'WHK_004', title: 'The webhook is inactive, or of a type that sends nothing by itself' },
  'too-many-webhooks': { status: 409, error_code: 'WHK_005', title: 'The account has as many webhooks as it may' },
  'load-interrupted': { status: 409, error_code: 'LIC_005', title: 'The load was interrupted; nothing was loaded' },
  'last-secret': { status: 409, error_code: 'PAY_006', title: 'The payment source would have no lasting secret' },
  'too-many-secrets': { status: 409, error_code: 'PAY_007', title: 'The payment source has as many secrets as it may' },
  'still-running': { status: 409, error_code: 'IDM_002', title: 'A request with this Idempotency-Key is still running' },
  'tier-account-exists': { status: 409, error_code: 'TAC_002', title: 'Another tier account has this external id' },
  'tier-account-in-use': { status: 409, error_code: 'TAC_003', title: 'The tier account is in use' },
  'tier-config-request-open': { status: 409, error_code: 'TCR_003', title: 'The tier configuration has an open request' },
  'payload-too-large': { status: 413, error_code: 'API_004', title: 'The body is too large' },
  'unsupported-media-type': { status: 415, error_code: 'API_005', title: 'The body has a media type that is not read here' },
  'idempotency-key-reused': { status: 422, error_code: 'IDM_001', title: 'The Idempotency-Key was used for another request' },
  'resend-too-often': { status: 429, error_code: 'ORD_006', title: 'The order was mailed again too often in the last hour' },
  'too-many-guesses': { status: 429, error_code: 'OPG_003', title: 'Too many tokens from this address opened nothing' },
  'headers-too-large': { status: 431, error_code: 'API_006', title: 'The headers are too large' },
  'internal-error': { status: 500, error_code: 'API_007', title: 'The service failed; the failure is in its log under the request id' },
  unavailable: { status: 503, error_code: 'API_008', title: 'The service cannot answer now; try again' },
} as const satisfies Record<string, { status: number, error_code: string, title: string }>

export type ProblemType = keyof typeof problems

/** What a refusal carries beyond its line in the table. */
export interface ProblemDetails {
  /** what was wrong here and how to mend it; never a key, never a driver's text */
  detail?: string
  /** one sentence per fault, `path.to.field: what is wrong` */
  errors?: string[]
  params?: Record<string, unknown>
  headers?: Record<string, string>
}

/** A refusal: thrown anywhere, rendered in one place (plugins/problems.ts). Not an error of ours. */
export class Problem extends Error {
  readonly type: ProblemType
  readonly details: ProblemDetails

  constructor (type: ProblemType, details: ProblemDetails | string = {}) {
    const given = typeof details === 'string' ? { detail: details } : details
    super(given.detail ?? problems[type].title)
    this.name = 'Problem'
    this.type = type
    this.details = given
  }

  get status (): number { return problems[this.type].status }
}

/** A refusal of what was sent, though its schema lets it pass: one sentence per fault, `path.to.field: what is wrong`. */
export function invalid (...faults: string[]): Problem {
  return new Problem('validation-failed', { detail: faults.join('; '), errors: faults })
}
