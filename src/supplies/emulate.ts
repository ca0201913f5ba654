import { setTimeout as delay } from 'node:timers/promises'
import type { Called } from '../webhooks/call.js'
import { idempotencyKeyOf } from './compose.js'
import type { ClaimedSupplyOrder } from './claim.js'
import { TIMEOUT_S_DEFAULT } from './schema.js'

/** It fails this often before it succeeds, so that a retry can be watched. */
const TEMPORARY_FAILURES = 2

const answer = (status_code: number, body = '', type = 'text/plain'): Called =>
  ({ status_code, body, content_type: type, is_complete: true, retry_after: undefined, error: null, duration_ms: 0 })

/**
 * Answers a demand of a test order in place of a service, as it was told to. Its keys begin with TEST-, follow from the demand and are given for no other;
 * everything else of a call, of retries and of what follows a failure is as with a real service.
 */
export async function emulate (claimed: ClaimedSupplyOrder, signal: AbortSignal): Promise<Called> {
  if (claimed.mode !== 'test') throw new Error('an emulator serves test orders only')
  const { behaviour = 'succeed', timeout_s = TIMEOUT_S_DEFAULT } = claimed.settings ?? {}
  const keys = Array.from({ length: claimed.quantity }, (_, i) => `TEST-${idempotencyKeyOf(claimed)}-${i + 1}`)
  switch (behaviour) {
    case 'succeed': return answer(200, keys.join('\n'))
    case 'fail_temporarily': return claimed.attempt <= TEMPORARY_FAILURES ? answer(503) : answer(200, keys.join('\n'))
    case 'fail_fatally': return answer(400)
    case 'too_few': return answer(200, keys.slice(1).join('\n'))
    case 'garbage': return answer(200, '<html>\u0007</html>', 'text/html')
    case 'stall': {
      await delay(timeout_s * 1000, undefined, { signal }).catch(() => {})
      return { ...answer(0), status_code: null, error: `no answer within ${timeout_s * 1000} ms` }
    }
  }
}
