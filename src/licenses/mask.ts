/** Shorter keys are hidden whole: of the others at least ten characters stay unknown. */
const CHARACTERS_MIN = 16
const SHOWN_FIRST = 4
const SHOWN_LAST = 2

/** What a list shows of a license: enough to recognise it, not to use it. `ABCD-…-7F`; a short one is `…`. */
export function maskKey (key: Buffer): string {
  const characters = Array.from(key.toString())
  if (characters.length < CHARACTERS_MIN) return '…'
  const [first, last] = [characters.slice(0, SHOWN_FIRST), characters.slice(-SHOWN_LAST)].map((part) => part.join('').replace(/^-+|-+$/g, ''))
  return `${first}-…-${last}`
}
