/** What may be scheduled: every type of request that changes an asset. */
const SCHEDULABLE = ['purchase', 'change', 'suspend', 'resume', 'cancel'] as const

/** What a product can do, as it steers requests. */
export interface Capabilities {
  /** a draft purchase is judged by the vendor's validation webhook */
  cart_validation: boolean
  /** an inquiry form that is sent in is judged likewise */
  inquiring_validation: boolean
  /** a draft change is judged likewise */
  change_validation: boolean
  /** up to which level of the chain resellers are set up before a purchase; 0: none is */
  tiers_configs: 0 | 1 | 2
  /** the vendor is asked to take note of changed tier accounts */
  tiers_updates: boolean
  /** an asset can be suspended and resumed */
  subscription_hold: boolean
  /** the types of requests that can be planned for a later date */
  scheduling: readonly string[]
}

type Nested = Record<string, unknown>

const isNested = (value: unknown): value is Nested => typeof value === 'object' && value !== null && !Array.isArray(value)
const at = (value: unknown, ...path: string[]): unknown => path.reduce((inner, name) => isNested(inner) ? inner[name] : undefined, value)

/**
 * Reads the capabilities of a product, which are stored as Connect nests them: `{"subscription": {"hold": true}}`. Suspending
 * is on and all else off where nothing is said. Scheduling: `subscription.scheduling` is for every type, `subscription.change.scheduling`
 * for one.
 */
export function capabilitiesOf ({ capabilities }: { capabilities: unknown }): Capabilities {
  const says = (...path: string[]): boolean => at(capabilities, ...path) === true
  return {
    cart_validation: says('cart', 'validation'),
    inquiring_validation: says('inquiring', 'validation'),
    change_validation: says('subscription', 'change', 'validation'),
    tiers_configs: levelOf(at(capabilities, 'tiers', 'configs')),
    tiers_updates: says('tiers', 'updates'),
    subscription_hold: at(capabilities, 'subscription', 'hold') !== false,
    scheduling: SCHEDULABLE.filter((type) => says('subscription', 'scheduling') || says('subscription', type, 'scheduling')),
  }
}

/** Connect has `{"level": 2}` or null; true counts as the first level. */
function levelOf (configs: unknown): 0 | 1 | 2 {
  if (configs === true) return 1
  const level = at(configs, 'level')
  return level === 1 || level === 2 ? level : 0
}

const DEFAULTS: Nested = {
  cart: { validation: false },
  inquiring: { validation: false },
  subscription: { hold: true, scheduling: false, change: { validation: false } },
  tiers: { configs: null, updates: false },
}

/** The stored capabilities with what they leave open filled in, as they are answered. */
export function capabilitiesBody (stored: unknown): Nested {
  return filledIn(DEFAULTS, stored)
}

function filledIn (defaults: Nested, stored: unknown): Nested {
  if (!isNested(stored)) return defaults
  const filled = Object.entries(defaults).map(([name, value]) =>
    [name, isNested(value) ? filledIn(value, stored[name]) : stored[name] ?? value])
  return { ...stored, ...Object.fromEntries(filled) }
}
