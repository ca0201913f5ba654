import { Problem } from '../problems.js'

const FOREIGN_KEY_VIOLATION = '23503'

/**
 * Awaits a deletion that foreign keys may forbid. `instead`: what its caller can do then.
 *
 * @throws Problem in-use  something refers to the row
 */
export async function unlessUsed<T> (deletion: Promise<T>, instead: string): Promise<T> {
  try {
    return await deletion
  } catch (error) {
    if ((error as { code?: string }).code === FOREIGN_KEY_VIOLATION) throw new Problem('in-use', instead)
    throw error
  }
}
