import type { FastifySchemaValidationError } from 'fastify'

const FIELD_NAME_SHOWN_MAX = 100 // a client's own text: enough to recognise it

function fieldOf ({ instancePath, params, keyword }: FastifySchemaValidationError, part: string): string {
  const path = instancePath.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (keyword === 'required') path.push(String(params['missingProperty']))
  if (keyword === 'additionalProperties') path.push(String(params['additionalProperty']))
  const name = path.join('.')
  return name === '' ? part : name.length > FIELD_NAME_SHOWN_MAX ? `${name.slice(0, FIELD_NAME_SHOWN_MAX)}…` : name
}

function faultOf ({ keyword, params, message = 'is not valid' }: FastifySchemaValidationError): string {
  switch (keyword) {
    case 'required': return 'is required'
    case 'additionalProperties': return 'is not a field here; remove it'
    case 'enum': return `must be one of ${(params['allowedValues'] as unknown[]).map((value) => JSON.stringify(value)).join(', ')}`
    case 'const': return `must be ${JSON.stringify(params['allowedValue'])}`
    case 'type': return `must be ${[params['type']].flat().join(' or ')}`
    default: return message.replace('fewer than 1 characters', 'empty').replace('fewer than 1 items', 'empty')
  }
}

/** Ajv's errors as sentences, `path.to.field: what is wrong`. `part`: what stands for the whole, such as `body`. */
export function validationSentences (errors: FastifySchemaValidationError[], part: string): string[] {
  const told = errors.length > 1 ? errors.filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'oneOf' && keyword !== 'if') : errors
  return [...new Set(told.map((error) => `${fieldOf(error, part)}: ${faultOf(error)}`))]
}
