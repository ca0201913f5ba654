import { Problem, type ProblemType } from '../problems.js'

const FOREIGN_KEY_VIOLATION = '23503'

/**
 * Runs a delete that the foreign keys refuse where something was made with the row. The transaction is lost then.
 *
 * @throws Problem  the one given, with the reason
 */
export async function deleteUnused (work: () => Promise<unknown>, inUse: ProblemType, remedy: string): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { code, table } = error as { code?: string, table?: string }
    if (code !== FOREIGN_KEY_VIOLATION) throw error
    throw new Problem(inUse, { detail: `there are ${(table ?? 'rows').replaceAll('_', ' ')} of it; ${remedy}`, params: { used_by: table ?? null } })
  }
}
