import { randomBytes } from 'node:crypto'
import type { Reader } from '../database/connect.js'
import { sealTile } from '../parameters/tile.js'
import { invalid } from '../problems.js'
import type { Keyring } from '../sealing.js'
import type { RequestRow } from './request-row.js'

/** What the customer is told in a state: the template, its body as it is now, or a text given instead, sealed since it may hold a key. */
export interface Texts { template_id: string | null, template_body: string | null, sealed_tile: Buffer | null, form_code: string | null }

const NONE: Texts = { template_id: null, template_body: null, sealed_tile: null, form_code: null }
const FORM_CODE_BYTES = 24 // 192 random bits: whoever has the URL may fill in the form

type TemplateType = 'fulfillment' | 'inquire' | 'pending'
type Product = Pick<RequestRow, 'account_id' | 'product_id'>
interface Choice { template_id?: string | null | undefined, template?: { id?: string | null } | null | undefined, activation_tile?: string | null | undefined }

/** The texts of a pending request: it names the template it is approved with by default, and shows the one for those who wait. */
export async function pendingTexts (db: Reader, request: Product): Promise<Texts> {
  const [approval, waiting] = [await defaultTemplate(db, request, 'fulfillment'), await defaultTemplate(db, request, 'pending')]
  return { ...NONE, template_id: approval?.id ?? null, template_body: waiting?.body ?? null }
}

/**
 * The texts of an inquiring request, with the code of a new inquiry form.
 *
 * @throws Problem validation-failed
 */
export async function inquiringTexts (db: Reader, keyring: Keyring, request: Product & { id: string }, choice: Choice = {}): Promise<Texts> {
  const texts = await chosenTexts(db, keyring, request, choice, 'inquire')
  return { ...texts, form_code: randomBytes(FORM_CODE_BYTES).toString('base64url') }
}

/**
 * The texts of an approved request: the template that was chosen, or a text of the vendor's own, or else the template that the request
 * names since it is pending.
 *
 * @throws Problem validation-failed
 */
export async function approvalTexts (db: Reader, keyring: Keyring, request: RequestRow, choice: Choice): Promise<Texts> {
  return chosenTexts(db, keyring, request, choice, 'fulfillment', request.template_id)
}

async function chosenTexts (
  db: Reader, keyring: Keyring, request: Product & { id: string }, choice: Choice, type: TemplateType, fallback_id: string | null = null
): Promise<Texts> {
  const wanted = choice.template_id || choice.template?.id
  if (wanted) {
    const template = await findTemplate(db, request, wanted)
    if (template === undefined) throw invalid(`${choice.template_id ? 'template_id' : 'template.id'}: the product has no such template of scope asset`)
    return { ...NONE, template_id: template.id, template_body: template.body }
  }
  const named = fallback_id === null ? undefined : await findTemplate(db, request, fallback_id)
  const template = named ?? await defaultTemplate(db, request, type)
  if (choice.activation_tile) {
    const sealed_tile = sealTile(keyring, request.account_id, request.id, choice.activation_tile)
    // the provider reads what is asked in the message of a template, so an inquiry always has one
    return { ...NONE, template_id: type === 'inquire' ? template?.id ?? null : null, sealed_tile }
  }
  return { ...NONE, template_id: template?.id ?? null, template_body: template?.body ?? null }
}

const templatesOf = (db: Reader, { account_id, product_id }: Product) => db.selectFrom('product_templates').select(['id', 'body'])
  .where('account_id', '=', account_id).where('product_id', '=', product_id).where('scope', '=', 'asset')

async function findTemplate (db: Reader, product: Product, id: string) {
  return templatesOf(db, product).where('id', '=', id).executeTakeFirst()
}

/** The product's first of the type; one of no type counts as for approvals. */
async function defaultTemplate (db: Reader, product: Product, type: TemplateType) {
  const ofType = templatesOf(db, product).$if(type === 'fulfillment', (query) => query.where((e) => e.or([e('type', '=', type), e('type', 'is', null)])))
    .$if(type !== 'fulfillment', (query) => query.where('type', '=', type))
  return ofType.orderBy('type').orderBy('position').orderBy('id').executeTakeFirst()
}
