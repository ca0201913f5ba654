interface Answer { $ref?: string, content?: Record<string, { examples?: object }> }
interface Operation { responses?: Record<string, Answer> }
interface Document { paths?: object, components?: object }

/** Of a refusal: the types that it may be of, which name it. Undefined: another answer. */
function nameOf ({ content }: Answer): string | undefined {
  const examples = content?.['application/problem+json']?.examples
  return examples === undefined ? undefined : Object.keys(examples).join('.')
}

/**
 * The OpenAPI document with each kind of refusal written once, among the components, under the names of its types. Most operations
 * refuse alike, and spelled out at each their refusals would be nearly all of the document.
 */
export function shareRefusals<T extends Document> (document: T): T {
  const responses: Record<string, Answer> = {}
  const share = (answer: Answer): Answer => {
    const name = nameOf(answer)
    if (name === undefined) return answer
    responses[name] ??= answer
    return { $ref: `#/components/responses/${name}` }
  }
  const inEach = <A, B>(of: object, work: (value: A) => B): Record<string, B> =>
    Object.fromEntries(Object.entries(of).map(([name, value]: [string, A]) => [name, work(value)]))
  const paths = inEach(document.paths ?? {}, (methods: object) => inEach(methods, (operation: Operation) =>
    ({ ...operation, responses: inEach(operation.responses ?? {}, share) })))
  return { ...document, paths, components: { ...document.components, responses } }
}
