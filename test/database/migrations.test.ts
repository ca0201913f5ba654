import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { emptyDatabase } from '../support/database.js'

// Guarantee: products made before the catalogue have what a new one has: templates for its requests, and a first version.
t.test('products of the first release', async (t) => {
  const { url } = await emptyDatabase(t)
  const db = connectDatabase(url, readConfig({}))
  t.teardown(() => db.destroy())
  const [before, after] = [[], []] as [string[], string[]]
  for (const file of readdirSync('migrations').sort()) (file < '0007' ? before : after).push(readFileSync(path.join('migrations', file), 'utf8'))
  for (const text of before) await sql.raw(text).execute(db)
  await db.insertInto('accounts').values([1, 2].map((n) => ({ id: `VA-000-00${n}`, type: 'vendor', name: 'Old' }))).execute()
  await db.insertInto('products').values([1, 2, 3].map((n) => ({
    account_id: `VA-000-00${n < 3 ? 1 : 2}`, id: `PRD-000-000-00${n}`, name: `Old ${n}`, mail_template: JSON.stringify({ subject: 's', text: '{KEY}' }),
  }))).execute()
  for (const text of after) await sql.raw(text).execute(db)

  const templates = await db.selectFrom('product_templates').select(['product_id', 'id', 'type', 'scope']).orderBy('product_id').orderBy('position').execute()
  t.match(templates, [1, 2, 3].flatMap((n) => ['fulfillment', 'inquire'].map((type) => ({ product_id: `PRD-000-000-00${n}`, id: /^TL-\d{3}-\d{3}-\d{3}$/, type, scope: 'asset' }))))
  t.equal(templates.length, 6)
  t.equal(new Set(templates.map(({ id }) => id)).size, 6)
  t.match(await db.selectFrom('product_versions').select(['product_id', 'version', 'snapshot', 'actions']).orderBy('product_id').execute(),
    [1, 2, 3].map((n) => ({ product_id: `PRD-000-000-00${n}`, version: 1, snapshot: { name: `Old ${n}`, status: 'published', items: [], capabilities: {} }, actions: [] })))
})
