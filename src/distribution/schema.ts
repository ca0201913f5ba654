import { Type, type TSchema } from 'typebox'
import { Lenient, Moment, OneOf } from '../plugins/schema.js'

/** A party or thing that is named beside its id. */
export const named = (id: string, other: Record<string, TSchema> = {}) =>
  Type.Object({ id: Type.String({ examples: [id] }), name: Type.String(), ...other })

/** In a body: what something belongs to, by its id; whatever else clients have copied there is ignored. */
export const given = (id: string, description: string) =>
  Lenient({ id: Type.String({ minLength: 1, maxLength: 100, examples: [id] }) }, { description })

/** Connect shows what happened to a thing as `events`. */
export const Events = Type.Object({ created: Type.Object({ at: Moment() }), updated: Type.Object({ at: Moment() }) })

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const name = Type.String({ minLength: 1, maxLength: 255, examples: ['Example'] })
export const description = Type.String({ maxLength: 2000 })
export const icon = Type.String({ maxLength: 2048, description: 'The address of a picture' })

const instanceMembers = {
  id: Type.Optional(Type.String({ maxLength: 255, description: 'What the system calls itself' })),
  type: Type.Optional(OneOf(['API', 'OA'], { description: 'What kind of system it is', examples: ['API'] })),
}
export const GivenInstance = Lenient(instanceMembers)
export const Instance = Type.Object({ id: Type.String(), type: OneOf(['API', 'OA']) })
