import { Type } from 'typebox'

/** Whose a tier resource is, or what it is of, by id and name. */
export const Named = Type.Object({ id: Type.String(), name: Type.String() })

/** A product as it stands inside other resources. */
export const ShortProduct = Type.Object({
  id: Type.String({ examples: ['PRD-123-456-789'] }), icon: Type.String(), name: Type.String(), status: Type.String({ examples: ['published'] }),
})
