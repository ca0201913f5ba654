import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { SourceOptions, TranslatedOrder } from './checkout.js'

type Line = TranslatedOrder['line_items'][number]

/** A line whose product has one name. */
export type NamedLine = Omit<Line, 'product'> & { product: string }

/**
 * The one name of each line's product: what the source's map makes of one of its names, else the first of them that is known here. A line whose
 * name is mapped to null is left out: the shop sells it, and no license goes with it. The database is asked only where a line has several names,
 * and once for all lines.
 *
 * @throws Problem product-not-found  none of several is known; one alone is looked up when the order is placed
 */
export async function findProducts (db: Reader, account_id: string, lines: readonly Line[], { product_map = {} }: SourceOptions): Promise<NamedLine[]> {
  const candidates = lines.map(({ product }) => {
    const names = [product].flat()
    const mapped = names.find((name) => Object.hasOwn(product_map, name))
    return mapped === undefined ? [...new Set(names)] : [product_map[mapped] ?? null]
  })
  const open = [...new Set(candidates.filter((names) => names.length > 1).flat())] as string[]
  const known = open.length === 0
    ? []
    : await db.selectFrom('product_refs').select('ref').where('account_id', '=', account_id).where('ref', 'in', open).execute()
  const refs = new Set(known.map(({ ref }) => ref))
  return lines.flatMap((line, index) => {
    if (candidates[index]?.[0] === null) return []
    const names = candidates[index] as string[]
    const product = names.length === 1 ? names[0] : names.find((name) => refs.has(name))
    if (product === undefined) throw unknown(index, names)
    return [{ ...line, product }]
  })
}

function unknown (index: number, names: readonly string[]): Problem {
  const field = `line_items.${index}.product`
  const tried = names.map((name) => `"${name}"`).join(', ')
  const fault = names.length === 0 ? 'the event names no product' : `no product has ${tried} as its id or external id, nor does the source's product_map name one of them`
  return new Problem('product-not-found', { detail: `${field}: ${fault}`, errors: [`${field}: no such product`] })
}
