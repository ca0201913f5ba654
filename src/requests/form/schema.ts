import { Type, type TSchema } from 'typebox'
import { REQUEST_TYPES } from '../../assets/schema.js'
import { ParamSchema } from '../../parameters/schema.js'
import { OneOf, ref } from '../../plugins/schema.js'

export const Code = Type.String({ minLength: 1, maxLength: 100, description: 'The code of the inquiry form, out of `params_form_url`' })

export const InquiryForm = Type.Object({
  id: Type.String({ examples: ['PR-1234-5678-9012-001'] }),
  type: OneOf(REQUEST_TYPES),
  status: OneOf(['inquiring']),
  product: Type.Object({ id: Type.String(), name: Type.String() }),
  message: Type.String({ description: 'What is asked, in Markdown' }),
  params: Type.Array(ref(ParamSchema), { description: 'What the buyer gives, with what is wrong about it' }),
}, { $id: 'InquiryForm' })

const Page = { schema: Type.String({ description: 'To a caller whose Accept prefers text/html, as that of a browser does; refusals are pages to it, too' }) }
/** Both are of one status, which fastify knows and TypeBox's types do not. */
export const FormAnswer = {
  description: 'The form, by what Accept prefers',
  content: { 'application/json': { schema: ref(InquiryForm) }, 'text/html': Page },
} as unknown as TSchema
export const FormThanks = { description: 'To a browser: a page that says thank you', content: { 'text/html': Page } } as unknown as TSchema

/** For the API reference only: the bytes are read by plugins/form-body.ts. */
export const SentForm = {
  content: {
    'application/x-www-form-urlencoded': {
      schema: {
        type: 'string',
        description: '`value:<name>` of each parameter; of one of the type checkbox empty and once for each choice that is ticked, of one of the type object as JSON. ' +
          'Of an address its parts: `city:<name>`. What is left out stays as it is.',
      },
      example: 'value:admin_email=ada%40example.com&address_line1:office=12+St+James+Square&city:office=London&country:office=GB',
    },
  },
}
