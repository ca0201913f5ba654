import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { definitionsOf } from '../parameters/definitions.js'
import type { ParamWrite } from '../parameters/schema.js'
import type { Line } from '../webhooks/call.js'
import { callValidator } from '../webhooks/call-validator.js'
import { findValidators } from '../webhooks/find-target.js'
import { requestDocuments, showsAsUsual, type ShowsPart } from './documents.js'
import type { RequestRow, Service } from './request-row.js'
import type { RequestType, Status } from './transitions.js'

/** What asking takes: the validators are called over the network, so outside any transaction. */
interface Asking extends Service { db: Kysely<Database>, line: Line }

/** Which validators judge a request; none judge the others. */
const JUDGES: { [type in RequestType]?: { [status in Status]?: 'validator' | 'inquiring_validator' | 'change_validator' | 'change_inquiring_validator' } } = {
  purchase: { draft: 'validator', inquiring: 'inquiring_validator' },
  change: { draft: 'change_validator', inquiring: 'change_inquiring_validator' },
}

/** A text could hold a key. */
const showsNoText: ShowsPart = (part) => part !== 'activation_key' && part !== 'template' && showsAsUsual(part)

/**
 * Asks the vendor's validating webhooks about a draft or an inquiring request, and returns what they say of its parameters. Each is sent the whole
 * request, but no secret parameter and no text. One that does not answer in time, or with something else, says nothing.
 */
export async function askValidators (asking: Asking, row: RequestRow): Promise<ParamWrite[]> {
  const { account_id, product_id, status, type } = row
  const judge = JUDGES[type]?.[status]
  if (judge === undefined) return []
  const targets = await findValidators(asking.db, asking.keyring, { account_id, product_id, type: judge })
  if (targets.length === 0) return []
  const secret = new Set((await definitionsOf(asking.db, account_id, product_id, ['asset'])).filter((definition) => definition.secret).map(({ name }) => name))
  const [document] = await requestDocuments(asking.db, asking, { type: 'vendor' }, [row], showsNoText)
  const { params_form_url: _, asset, ...request } = document!
  const asked = { ...request, asset: { ...asset, params: (asset.params ?? []).filter(({ id }) => !secret.has(id)) } }
  const names = new Set(asked.asset.params.map(({ id }) => id))
  const said: ParamWrite[] = []
  for (const target of targets) said.push(...verdictOf(await callValidator(asking, target, asked)).filter(({ id }) => names.has(id ?? '')))
  return said
}

/** What an answer says of parameters: only what can be written, whatever else is in it. */
function verdictOf (answer: unknown): ParamWrite[] {
  const params = (answer as { asset?: { params?: unknown } } | null | undefined)?.asset?.params
  if (!Array.isArray(params)) return []
  return params.flatMap((param: Record<string, unknown> | null) => typeof param?.['id'] !== 'string'
    ? []
    : [{
        id: param['id'],
        ...(typeof param['value'] === 'string' ? { value: param['value'] } : {}),
        ...(typeof param['value_error'] === 'string' ? { value_error: param['value_error'].slice(0, 512) } : {}),
        ...(typeof param['structured_value'] === 'object' ? { structured_value: param['structured_value'] } : {}),
        ...(typeof param['structured_error'] === 'object' ? { structured_error: param['structured_error'] } : {}),
      }])
}
