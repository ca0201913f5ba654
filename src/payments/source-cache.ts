import type { Reader } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { openSource, type OpenSource } from './find-source.js'

const FRESH_MS = 1000 // a source deleted or a secret withdrawn is refused everywhere within this
const SOURCES_MAX = 1000

/** Remembers opened payment sources for a second, so that a stream of webhooks costs no look-up each. Rejections are not kept. */
export function sourceCache (db: Reader, keyring: Keyring): (id: string) => Promise<OpenSource> {
  const known = new Map<string, { until: number, source: Promise<OpenSource> }>()
  return (id) => {
    const now = performance.now()
    const hit = known.get(id)
    if (hit !== undefined && hit.until > now) return hit.source
    if (known.size >= SOURCES_MAX) known.clear()
    const source = openSource(db, keyring, id)
    known.set(id, { until: now + FRESH_MS, source })
    source.catch(() => { known.delete(id) })
    return source
  }
}
