/** Shows on standard error how far a long command is: a bar on a terminal, else a line for each tenth. */
export interface Progress { at: (done: number, note?: string) => void, end: () => void }

const WIDTH = 30
const REDRAW_MS = 100

/** `total` 0: there is nothing to do, and nothing is shown. */
export function showProgress (label: string, total: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  let drawn_at = 0
  let tenth = 0
  let last = ''
  return {
    at (done, note = '') {
      if (total === 0) return
      const share = Math.min(1, done / total)
      if (!stream.isTTY) {
        if (Math.floor(share * 10) <= tenth) return
        tenth = Math.floor(share * 10)
        stream.write(`${label}: ${tenth * 10} %${note === '' ? '' : `, ${note}`}\n`)
        return
      }
      last = `${label} [${'#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')}] ${Math.floor(share * 100)} %${note === '' ? '' : `, ${note}`}`
      if (Date.now() - drawn_at < REDRAW_MS) return
      drawn_at = Date.now()
      stream.write(`\r${last}\u001b[K`)
    },
    end () {
      if (stream.isTTY && last !== '') stream.write(`\r${last}\u001b[K\n`)
    },
  }
}
