import { readFileSync } from 'node:fs'

type Json = Record<string, unknown>

/** A body as its checkout sends it, whole; a fresh copy each time. */
export function bodyOf<T extends Json> (name: string): T {
  return JSON.parse(readFileSync(new URL(`bodies/${name}.json`, import.meta.url), 'utf8')) as T
}

/** An event of a checkout, for `translate`. */
export function stored (event: object, answers?: Record<string, unknown>) {
  return { body: Buffer.from(JSON.stringify(event)), sent_at: new Date('2026-11-22T10:00:00Z'), context: {}, ...(answers === undefined ? {} : { answers }) }
}
