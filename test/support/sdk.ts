// Connect's official client, unmodified. It has no types, so neither have its calls here.
import { createRequire } from 'node:module'

type Untyped = any
export type Json = Record<string, Untyped>

export const sdk = createRequire(import.meta.url)('@cloudblueconnect/connect-javascript-sdk') as Record<string, Untyped>

/** The client of one account against a service that listens at `url`. */
export function clientOf (url: string, { authorization }: { authorization: string }): Record<'client' | 'fulfillment' | 'directory' | 'inventory' | 'subscriptions', Untyped> {
  const client = new sdk['ConnectClient'](`${url}/v1`, authorization)
  return {
    client,
    fulfillment: new sdk['Fulfillment'](client),
    directory: new sdk['Directory'](client),
    inventory: new sdk['Inventory'](client),
    subscriptions: new sdk['Subscriptions'](client),
  }
}
