const DEADLINE_MS = 15_000
const INTERVAL_MS = 15

type Maybe<T> = T | undefined | false | null

/**
 * Looks again and again until there is something, and returns it. For waiting on a condition of another process or connection.
 *
 * @throws Error after 15 seconds, or `deadline_ms`
 */
export async function until<T> (what: string, look: () => Maybe<T> | Promise<Maybe<T>>, deadline_ms = DEADLINE_MS): Promise<T> {
  const deadline = Date.now() + deadline_ms
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false && found !== null) return found
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  }
}
