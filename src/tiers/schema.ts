import { Type } from 'typebox'

/** Whose a tier resource is, or what it is of, by id and name. */
export const Named = Type.Object({ id: Type.String(), name: Type.String() })

/** A product as it stands inside other resources. */
export const ShortProduct = Type.Object({
  id: Type.String({ examples: ['PRD-123-456-789'] }), icon: Type.String(), name: Type.String(), status: Type.String({ examples: ['published'] }),
})

/** Which language is asked for: repeated in the answer, since there is one text. */
export const RenderHeaders = Type.Object({
  'connect-localization': Type.Optional(Type.String({ maxLength: 35, pattern: '^[A-Za-z0-9_-]+$', description: 'A locale; repeated in the answer', examples: ['es_ES'] })),
})

export const Markdown = Type.Unsafe<string>({
  description: 'Markdown', content: { 'text/markdown': { schema: Type.String({ examples: ['Your partner number: 4711'] }) } },
} as object)
