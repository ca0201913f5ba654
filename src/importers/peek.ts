/** Looks at the first bytes that are no space: whether the file is JSON. The bytes are all still in `whole`. */
export async function peek (bytes: AsyncIterable<Buffer>): Promise<{ isJson: boolean, head: string, whole: AsyncIterable<Buffer> }> {
  const rest = bytes[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  let next = await rest.next()
  for (; next.done !== true && head.toString('latin1').trim() === ''; next = await rest.next()) head = Buffer.concat([head, next.value])
  const text = head.toString('latin1').trimStart()
  return {
    isJson: text.startsWith('{') || text.startsWith('['),
    head: text,
    whole: (async function * () {
      yield head
      for (; next.done !== true; next = await rest.next()) yield next.value
    })(),
  }
}
