import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsync } from 'fastify'
import { PAGE } from './headers.js'

/** By the URL below the service: the file in page/, its type, how long a browser may keep it. */
const FILES = [
  { url: '/order', file: 'order.html', type: 'text/html; charset=utf-8', keep: 'no-store' },
  { url: '/order/page.css', file: 'page.css', type: 'text/css; charset=utf-8', keep: 'no-cache' },
  { url: '/order/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8', keep: 'no-cache' },
  { url: '/order/icon.svg', file: 'icon.svg', type: 'image/svg+xml', keep: 'no-cache' },
  { url: '/order/words.js', file: 'words.js', type: 'text/javascript; charset=utf-8', keep: 'no-cache' },
] as const

/** The page of an order for browsers: a few files, which are the same for everybody. What the link carries behind its # stays in the browser. */
export const orderPageFileRoutes: FastifyPluginAsync = async (app) => {
  for (const { url, file, type, keep } of FILES) {
    const bytes = await readFile(new URL(`page/${file}`, import.meta.url))
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`
    app.get(url, { schema: { hide: true } }, async ({ headers, url: asked }, reply) => {
      reply.headers({ ...PAGE, 'cache-control': keep, etag })
      // its files are named from where it is; the browser takes what is behind the # along
      if (url === '/order' && asked.replace(/\?.*/s, '').endsWith('/')) return reply.redirect('../order', 308)
      const known = (headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
      if (known.includes(etag)) return reply.code(304).send()
      return reply.type(type).send(bytes)
    })
  }
}
