// What pools and orders ought to be after each step, worked out in memory: the queue of a pool is served strictly in the order of
// arrival, and its head blocks.

export const POLICIES = ['backorder', 'partial', 'fail'] as const
export type Policy = typeof POLICIES[number]
export const RULES = ['unit', 'line'] as const

/** A line that waits, or was filled: of how many slots how many hold a license. */
export interface ModelLine { pool: number, slots: number, filled: number, failed: boolean }
export interface ModelPool { rule: typeof RULES[number], policy: Policy, stock: number, loaded: number, withdrawn: number, queue: ModelLine[] }
export type AskedLine = readonly [pool: number, quantity: number]

export class Model {
  readonly pools: ModelPool[]
  readonly orders: ModelLine[][] = []

  constructor (pools: ReadonlyArray<Pick<ModelPool, 'rule' | 'policy'>>) {
    this.pools = pools.map((pool) => ({ ...pool, stock: 0, loaded: 0, withdrawn: 0, queue: [] }))
  }

  pool (at: number): ModelPool { return this.pools[at] as ModelPool }

  /** False: refused, because it is short in a pool that fails, and nothing changed. */
  order (asked: readonly AskedLine[], refusable: boolean): boolean {
    const lines = asked.map(([pool, quantity]) => ({ pool, slots: this.pool(pool).rule === 'line' ? 1 : quantity, filled: 0, failed: false }))
    const before = this.pools.map(({ stock, queue }) => ({ stock, queue: [...queue] }))
    const waiting = this.pools.map(({ queue }) => queue.length > 0)
    for (const line of lines) this.pool(line.pool).queue.push(line)
    for (const pool of new Set(lines.map((line) => line.pool))) if (!waiting[pool]) this.fill(pool)
    // a line that fails does not hold up the next, which the stock may cover
    const failing = (): ModelLine | undefined => lines.find((line) => !line.failed && line.filled < line.slots && this.pool(line.pool).policy === 'fail')
    if (failing() !== undefined && refusable) {
      for (const [at, { stock, queue }] of before.entries()) Object.assign(this.pool(at), { stock, queue })
      return false
    }
    for (let line = failing(); line !== undefined; line = failing()) {
      line.failed = true
      const pool = this.pool(line.pool)
      pool.queue = pool.queue.filter((other) => other !== line)
      if (!waiting[line.pool]) this.fill(line.pool)
    }
    this.orders.push(lines)
    return true
  }

  /** Nobody has seen a key in a mix, so all that it held is for sale again. */
  cancel (order: number): void {
    for (const line of this.orders[order] ?? []) {
      const pool = this.pool(line.pool)
      pool.queue = pool.queue.filter((other) => other !== line)
      pool.stock += line.filled
      Object.assign(line, { slots: 0, filled: 0, failed: true })
    }
    for (const at of this.pools.keys()) this.fill(at)
  }

  load (at: number, count: number): void {
    const pool = this.pool(at)
    pool.stock += count
    pool.loaded += count
    if (count > 0) this.fill(at)
  }

  withdraw (at: number): void {
    this.pool(at).stock -= 1
    this.pool(at).withdrawn += 1
  }

  policy (at: number, policy: Policy): void {
    const changed = this.pool(at).policy !== policy
    this.pool(at).policy = policy
    if (changed) this.fill(at)
  }

  fill (at: number): void {
    const pool = this.pool(at)
    for (let head = pool.queue[0]; head !== undefined; head = pool.queue[0]) {
      const missing = head.slots - head.filled
      const taken = missing <= pool.stock ? missing : pool.policy === 'partial' ? pool.stock : 0
      head.filled += taken
      pool.stock -= taken
      if (head.filled < head.slots) return
      pool.queue.shift()
    }
  }

  stockOf (at: number): Record<string, number> {
    const { stock, loaded, withdrawn, queue } = this.pool(at)
    const backordered = queue.reduce((sum, line) => sum + line.slots - line.filled, 0)
    return { loaded, available: stock, withdrawn, allocated: loaded - stock - withdrawn, backordered }
  }

  statusOf ({ filled, slots, failed }: ModelLine): string {
    return slots > 0 && filled === slots ? 'fulfilled' : filled > 0 ? 'partial' : failed ? 'unfulfilled' : 'backordered'
  }
}
