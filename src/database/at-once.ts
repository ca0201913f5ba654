import type { Reader } from './connect.js'

/** What each of some functions resolves with. */
type Answers<Reads extends ReadonlyArray<() => Promise<unknown>>> = { -readonly [K in keyof Reads]: Awaited<ReturnType<Reads[K]>> }

/** Reads that do not need each other, at once; inside a transaction, which has one connection, one after the other. */
export async function atOnce<const Reads extends ReadonlyArray<() => Promise<unknown>>> (db: Reader, reads: Reads): Promise<Answers<Reads>> {
  if (!db.isTransaction) return await Promise.all(reads.map((read) => read())) as Answers<Reads>
  const answers: unknown[] = []
  for (const read of reads) answers.push(await read())
  return answers as Answers<Reads>
}
