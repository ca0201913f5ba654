import { Problem, type ProblemType } from '../problems.js'

const FOREIGN_KEY_VIOLATION = '23503'

/**
 * Runs a deletion that foreign keys refuse where something was made with the row. The transaction is lost then. `instead`: what its caller can do.
 *
 * @throws Problem  the one given, saying what there is of it
 */
export async function unlessUsed<T> (deletion: () => Promise<T>, inUse: ProblemType, instead: string): Promise<T> {
  try {
    return await deletion()
  } catch (error) {
    const { code, table } = error as { code?: string, table?: string }
    if (code !== FOREIGN_KEY_VIOLATION) throw error
    throw new Problem(inUse, { detail: `there are ${(table ?? 'rows').replaceAll('_', ' ')} of it; ${instead}`, params: { used_by: table ?? null } })
  }
}
