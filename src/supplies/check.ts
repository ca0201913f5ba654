import { isIP } from 'node:net'
import type { Reader } from '../database/connect.js'
import { faultsOfText, sentenceOf } from '../mailer/lint.js'
import { invalid } from '../problems.js'
import { hostOf, mayBeCalled } from '../webhooks/address.js'
import { PARAMETERS, PARAMETERS_OF_RENEWALS, type NewSupply } from './schema.js'

type SupplyType = NewSupply['type']

/** What belongs to a type, beside `type` and `modes`: needed, and possible. */
const FIELDS: Readonly<Record<SupplyType, { needed: readonly string[], possible: readonly string[] }>> = {
  pool: { needed: ['pool_id'], possible: [] },
  web_service: { needed: ['url'], possible: ['per', 'method', 'encoding', 'names', 'temporary_pattern', 'timeout_s', 'secret', 'is_signed'] },
  emulator: { needed: ['behaviour'], possible: ['per', 'timeout_s'] },
  information: { needed: ['subject', 'text'], possible: [] },
}

function faultsOfFields (supply: NewSupply): string[] {
  const { needed, possible } = FIELDS[supply.type]
  const given = Object.keys(supply).filter((field) => !['type', 'modes'].includes(field))
  return [
    ...needed.filter((field) => !given.includes(field)).map((field) => `${field}: is required of type ${supply.type}`),
    ...given.filter((field) => ![...needed, ...possible].includes(field)).map((field) => `${field}: is none of type ${supply.type}`),
  ]
}

function faultsOfUrl (text: string, modes: readonly string[], allowed_networks: readonly string[]): string[] {
  if (!URL.canParse(text)) return ['url: must be a URL']
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol)) return ['url: must start with https:// or http://']
  if (url.username !== '' || url.password !== '') return ['url: must not hold credentials; give a secret, and check the signature']
  if (url.hash !== '') return ['url: must not have a fragment']
  const host = hostOf(url)
  if (isIP(host) !== 0 && !mayBeCalled(host, allowed_networks)) return ['url: its address is not one that may be called; see WEBHOOK_ALLOWED_NETWORKS']
  // keys come back in the answer; without TLS only where an operator has opened a network for it
  if (url.protocol === 'http:' && modes.includes('live') && allowed_networks.length === 0) return ['url: must start with https:// for live orders']
  return []
}

/** What is wrong with the words of information. */
function faultsOfWords (words: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(words).flatMap(([field, said = '']) => faultsOfText(field, said, { format: 'text', keys: 'allowed' }).map(sentenceOf))
}

/** Two parameters must not be sent by one name. */
function faultsOfNames (names: Readonly<Record<string, string | undefined>>): string[] {
  const sent = [...[...PARAMETERS, ...PARAMETERS_OF_RENEWALS].filter((name) => names[name] === undefined), ...Object.values(names)]
  return [...new Set(sent.filter((name, i) => sent.indexOf(name) !== i))].map((name) => `names: two parameters would be sent as ${name}`)
}

function faultsOfOne (supply: NewSupply, allowed_networks: readonly string[]): string[] {
  const faults = faultsOfFields(supply)
  if (faults.length > 0) return faults
  const { type, url, names, text, subject } = supply
  return [
    ...(type === 'emulator' && modesOf(supply).includes('live') ? ['modes: an emulator serves test orders only'] : []),
    ...(url === undefined ? [] : faultsOfUrl(url, modesOf(supply), allowed_networks)),
    ...faultsOfNames(names ?? {}),
    ...[['text', text], ['subject', subject]].filter(([, words]) => words?.includes('{KEY}')).map(([field]) => `${field}: must not contain {KEY}, as there is no license`),
    ...faultsOfWords({ text, subject }),
  ]
}

/** Of which orders a supply is: a real service makes real licenses, so test orders are asked for by name. */
export function modesOf ({ type, modes }: NewSupply): readonly string[] {
  if (modes !== undefined) return [...modes].sort()
  return type === 'web_service' ? ['live'] : type === 'emulator' ? ['test'] : ['live', 'test']
}

/**
 * Refuses supplies that cannot work. Whether a name leads to an address that may be called is judged with each call.
 *
 * @throws Problem validation-failed
 */
export async function checkSupplies (db: Reader, account_id: string, supplies: readonly NewSupply[], allowed_networks: readonly string[]): Promise<void> {
  const pools = supplies.flatMap(({ pool_id }) => pool_id ?? [])
  const known = pools.length === 0 ? [] : await db.selectFrom('pools').select('id').where('account_id', '=', account_id).where('id', 'in', pools).execute()
  const per = supplies.filter(isCalled).map((supply) => supply.per ?? 'unit')
  const errors = supplies.flatMap((supply, i) => [
    ...faultsOfOne(supply, allowed_networks),
    ...(supply.pool_id !== undefined && !known.some(({ id }) => id === supply.pool_id) ? ['pool_id: the account has no pool with this id'] : []),
    ...(supply.pool_id !== undefined && pools.filter((id) => id === supply.pool_id).length > 1 ? ['pool_id: the pool is named twice'] : []),
    ...(isCalled(supply) && (supply.per ?? 'unit') !== per[0] ? [`per: must be ${per[0]}, as in the first step that is called`] : []),
  ].map((fault) => `${i}.${fault}`))
  if (errors.length > 0) throw invalid(...errors)
}

const isCalled = ({ type }: NewSupply): boolean => ['web_service', 'emulator'].includes(type)
