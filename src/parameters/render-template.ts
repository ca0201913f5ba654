const PLACEHOLDER = /\{\{\s*([^{}\s]+)\s*\}\}/g

/**
 * The Markdown of a template with values in place of `{{ name }}`; a name without a value leaves nothing. Values go in as they are and
 * are not searched for further names. Nothing in a template runs, and the time grows with its length only.
 */
export function renderTemplate (body: string, values: Readonly<Record<string, string>>): string {
  return body.replace(PLACEHOLDER, (_, name: string) => Object.hasOwn(values, name) ? values[name]! : '')
}
