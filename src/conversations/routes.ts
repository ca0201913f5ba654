import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { closeConversation } from './close.js'
import { conversationBody, conversationsSeenBy, findConversation, findMessage, messageBody, messagesSeenBy } from './find.js'
import { postMessage } from './post-message.js'
import { Conversation, conversationFields, IdParams, Message, MessageChange, messageFields, MessageParams, NewMessage } from './schema.js'
import { updateMessage } from './update-message.js'

export const conversationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [Conversation, Message]) app.addSchema(schema)

  app.get('/conversations', {
    config: { permission: 'conversations:read' },
    schema: {
      operationId: 'listConversations',
      tags: ['conversations'],
      summary: 'List conversations',
      description: 'Every request has one, from its creation. Its vendor and its provider see it.',
      querystring: listQuerySchema(conversationFields),
      response: { 200: listSchema(ref(Conversation), 'The conversations'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const query = conversationsSeenBy(app.db, request.account)
    return (await list(request, reply, { query, fields: conversationFields, defaultOrdering: 'created' })).map(conversationBody)
  })

  // Connect has the call and refuses it too; without the route the answer could not say why.
  app.post('/conversations', { config: { permission: 'conversations:write' }, schema: { hide: true } }, async () => {
    throw new Problem('forbidden', 'a conversation is made with its request: post to /v1/conversations/{request id}/messages')
  })

  app.get('/conversations/:id', {
    config: { permission: 'conversations:read' },
    schema: {
      operationId: 'getConversation',
      tags: ['conversations'],
      summary: 'Read a conversation',
      params: IdParams,
      response: { 200: ref(Conversation), 404: problem('conversation-not-found') },
    },
  }, async ({ account, params }) => conversationBody(await findConversation(app.db, account, params.id)))

  app.post('/conversations/:id/close', {
    config: { permission: 'conversations:write' },
    schema: {
      operationId: 'closeConversation',
      tags: ['conversations'],
      summary: 'Close a conversation',
      description: 'By either side. Nobody writes to it any more; changes of state are still noted. Closing again is no error.',
      params: IdParams,
      headers: IdempotencyHeaders,
      response: { 200: ref(Conversation), 404: problem('conversation-not-found') },
    },
  }, async (request) => {
    const { account, params } = request
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      const conversation = await findConversation(trx, account, params.id)
      await closeConversation(trx, conversation, account.key_id)
      return { id: conversation.id, status: 200 }
    })
    return conversationBody(await findConversation(app.db, account, id))
  })

  app.get('/conversations/:id/messages', {
    config: { permission: 'conversations:read' },
    schema: {
      operationId: 'listMessages',
      tags: ['conversations'],
      summary: 'List the messages of a conversation',
      description: 'Without the private ones of the other side.',
      params: IdParams,
      querystring: listQuerySchema(messageFields),
      response: { 200: listSchema(ref(Message), 'The messages'), 400: problem('query-invalid'), 404: problem('conversation-not-found') },
    },
  }, async (request, reply) => {
    const conversation = await findConversation(app.db, request.account, request.params.id)
    const query = messagesSeenBy(app.db, request.account, conversation)
    return (await list(request, reply, { query, fields: messageFields, defaultOrdering: 'created' })).map(messageBody)
  })

  app.post('/conversations/:id/messages', {
    config: { permission: 'conversations:write' },
    schema: {
      operationId: 'postMessage',
      tags: ['conversations'],
      summary: 'Write a message',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: NewMessage,
      response: { 201: ref(Message), 404: problem('conversation-not-found'), 409: problem('conversation-closed') },
    },
  }, async (request, reply) => {
    const { account, params, body: { text, type = 'message' } } = request
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await postMessage(trx, await findConversation(trx, account, params.id), { text, type }, account), status: 201 }))
    const conversation = await findConversation(app.db, account, params.id)
    return reply.code(status as 201).header('location', `/v1/conversations/${conversation.id}/messages/${id}`)
      .send(messageBody(await findMessage(app.db, account, conversation, id)))
  })

  app.get('/conversations/:id/messages/:message_id', {
    config: { permission: 'conversations:read' },
    schema: {
      operationId: 'getMessage',
      tags: ['conversations'],
      summary: 'Read a message',
      params: MessageParams,
      response: { 200: ref(Message), 404: problem('conversation-not-found', 'message-not-found') },
    },
  }, async ({ account, params }) =>
    messageBody(await findMessage(app.db, account, await findConversation(app.db, account, params.id), params.message_id)))

  app.put('/conversations/:id/messages/:message_id', {
    config: { permission: 'conversations:write' },
    schema: {
      operationId: 'updateMessage',
      tags: ['conversations'],
      summary: 'Change a message',
      description: 'Only your account\'s own, in a conversation that is open.',
      params: MessageParams,
      body: MessageChange,
      response: { 200: ref(Message), 403: problem('forbidden'), 404: problem('conversation-not-found', 'message-not-found'), 409: problem('conversation-closed') },
    },
  }, async ({ account, params, body }) => {
    const conversation = await inTransaction(app.db, async (trx) => {
      const found = await findConversation(trx, account, params.id)
      await updateMessage(trx, found, await findMessage(trx, account, found, params.message_id), body.text, account)
      return found
    })
    return messageBody(await findMessage(app.db, account, conversation, params.message_id))
  })
}
