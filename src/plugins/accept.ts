/**
 * Whether an Accept header (RFC 9110 §12.5.1) prefers HTML to JSON, as those of browsers do. A header that does not name HTML never does,
 * and of equals it is JSON, if that is named too.
 */
export function prefersHtml (accept = ''): boolean {
  const weights = new Map(accept.toLowerCase().split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    return [type, Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)]
  }))
  const html = weights.get('text/html') ?? 0
  const json = weights.get('application/json')
  return html > 0 && (json === undefined ? html >= (weights.get('*/*') ?? 0) : html > json)
}
