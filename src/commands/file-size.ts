import { statSync } from 'node:fs'
import { Refused } from './refused.js'

/** In bytes. @throws Refused */
export function sizeOf (file: string): number {
  try {
    const stat = statSync(file)
    if (stat.isFile()) return stat.size
  } catch { /* said below */ }
  throw new Refused(`${file} is not a file that can be read`)
}
