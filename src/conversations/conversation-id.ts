/**
 * The id of the conversation about a request: `CO-1-2-3-001` for `PR-1-2-3-001`; only a tier account request, whose digits could be another
 * request's, keeps its prefix. The id of a conversation is its own.
 */
export function conversationId (id: string): string {
  return id.startsWith('CO-') ? id : `CO-${id.replace(/^(PR|TCR)-/, '')}`
}
