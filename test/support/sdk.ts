// Connect's official client, unmodified. It has no types of its own, so what the tests use of it is described here.
import { createRequire } from 'node:module'

export type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any
type Method = (...given: any[]) => Promise<any> // eslint-disable-line @typescript-eslint/no-explicit-any
/** An object whose every member is a method, and a resource in it too. */
type Methods = Record<string, Method>

interface Sdk {
  ConnectClient: new (endpoint: string, apiKey: string) => Record<string, Methods & ((...given: unknown[]) => Methods)>
  Fulfillment: new (client: object) => Methods
  Directory: new (client: object) => Methods
  Inventory: new (client: object) => Methods
  Subscriptions: new (client: object) => Methods
  APIError: new () => Error & { status: number, errorCode: string, errors: string[], json: Json }
  HttpError: new () => Error & { status: number }
}

export const sdk = createRequire(import.meta.url)('@cloudblueconnect/connect-javascript-sdk') as Sdk

/** The client of one account against a service that listens at `url`. */
export function clientOf (url: string, { authorization }: { authorization: string }) {
  const client = new sdk.ConnectClient(`${url}/v1`, authorization)
  return {
    client,
    fulfillment: new sdk.Fulfillment(client),
    directory: new sdk.Directory(client),
    inventory: new sdk.Inventory(client),
    subscriptions: new sdk.Subscriptions(client),
  }
}
export type SdkClient = ReturnType<typeof clientOf>
