// Two questions about requests. List: a page of 50 pending requests of one product out of a million, oldest first, through HTTP with all that a request
// shows, against the bare SQL of the same page. Purchases: durable, filled from a pool and approved in the same answer, against the orders of
// bench/allocate.ts, in turn on the same service. npx tsx bench/requests.ts [requests] [rounds] [seconds] [connections]
import { randomUUID } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import pg from 'pg'
import { createApiKey } from '../src/accounts/create-api-key.js'
import { PRESETS } from '../src/accounts/permissions.js'
import type { Database } from '../src/database/connect.js'
import { inTransaction } from '../src/database/transaction.js'
import { createSource } from '../src/payments/create-source.js'
import { drive, post, signedOrder, startService } from './service.js'
import { ACCOUNT, figures, foreignShare, FOREIGN_MAX, POOL, print, printHead, settle, stage, type Stage } from './support.js'

const [REQUESTS = 1_000_000, ROUNDS = 5, SECONDS = 6, CONNECTIONS = 32] = process.argv.slice(2).map(Number)
const PROVIDER = 'PA-000-001'
const PRODUCTS = 10
const PENDING_EVERY = 200 // of a product's requests: a backlog of half a percent
const LISTS_PER_ROUND = 1000
const PAGE = 50
const LICENSES = 200_000

/** A provider with ten products to request; the first takes its key from the pool. */
async function market (db: Kysely<Database>): Promise<void> {
  await sql.raw(`
    insert into accounts (id, type, name) values ('${PROVIDER}', 'provider', 'bench');
    insert into hubs (provider_id, id, name) values ('${PROVIDER}', 'HB-0000-0001', 'bench');
    insert into marketplaces (provider_id, id, hub_id, name) values ('${PROVIDER}', 'MP-00001', 'HB-0000-0001', 'bench');
    insert into contracts (account_id, id, provider_id, marketplace_id, name) values ('${ACCOUNT}', 'CRD-00000-00000-00001', '${PROVIDER}', 'MP-00001', 'bench');
    insert into products (account_id, id, name, mail_template)
      select '${ACCOUNT}', 'PRD-000-000-' || lpad(n::text, 3, '0'), 'Bench ' || n, '{"subject": "Key", "text": "{KEY}"}' from generate_series(1, ${PRODUCTS}) n;
    insert into mail_words (account_id, product_id, version, words)
      select account_id, id, 1, jsonb_build_object('name', name, 'mail_template', mail_template, 'locales', locales) from products where id <> 'PRD-bench';
    update products set words_version = 1;
    insert into product_refs (account_id, ref, product_id) select account_id, id, id from products where id <> 'PRD-bench';
    insert into listings (account_id, id, product_id, contract_id, provider_id)
      select account_id, 'LST' || substr(id, 4), id, 'CRD-00000-00000-00001', '${PROVIDER}' from products where id <> 'PRD-bench';
    insert into product_items (account_id, product_id, id, local_id, mpn, name, display_name)
      select account_id, id, id || '-0001', id || '-0001', 'SEAT', 'Seat', 'Seat' from products where id <> 'PRD-bench';
    insert into product_parameters (account_id, product_id, id, name, title, type, scope, phase, constraints, position, secret, pool_id)
      select account_id, id, 'PRM' || substr(id, 4) || '-0001', 'admin_email', 'Admin e-mail', 'email', 'asset', 'ordering', '{"required": true}'::jsonb, 1, false, null
      from products where id <> 'PRD-bench'
      union all
      select account_id, id, 'PRM' || substr(id, 4) || '-0002', 'license_key', 'License key', 'text', 'asset', 'fulfillment', '{"required": true}', 2, true,
        case when id = 'PRD-000-000-001' then '${POOL}' end from products where id <> 'PRD-bench';
    insert into product_templates (account_id, product_id, id, title, name, body, scope, type, position)
      select account_id, id, 'TL' || substr(id, 4), 'Activation', 'Activation', 'Your key is {{ license_key }}', 'asset', 'fulfillment', 1 from products where id <> 'PRD-bench';
    insert into connections (account_id, id, product_id, provider_id, hub_id, type)
      select account_id, 'CT-0000-0000-0' || right(id, 3), id, '${PROVIDER}', 'HB-0000-0001', 'production' from products where id <> 'PRD-bench';
    insert into tier_accounts (provider_id, id, name, type, external_id, external_uid, contact_info)
      select '${PROVIDER}', 'TA-0000-0000-' || lpad(n::text, 4, '0'), 'Customer ' || n, 'customer', n::text, 'uid-' || n,
        '{"address_line1": "12 Street", "address_line2": "", "city": "London", "state": "", "postal_code": "SW1", "country": "GB", "contact": {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com", "phone_number": {"country_code": "+44", "area_code": "20", "phone_number": "7946", "extension": ""}}}'
      from generate_series(1, 1000) n;
  `).execute(db)
}

/** Purchases made and approved long ago, and a backlog, by SQL. The triggers are off, as in a restore. */
async function requests (db: Kysely<Database>, count: number): Promise<void> {
  await db.connection().execute(async (one) => {
    await sql.raw(`
      set session_replication_role = replica;
      create temporary table made as
        select n, lpad((n / 1000000 * 10000)::text, 4, '0') || '-' || lpad((n / 10000 % 10000)::text, 4, '0') || '-' || lpad((n % 10000)::text, 4, '0') as digits,
          'PRD-000-000-' || lpad((n % ${PRODUCTS} + 1)::text, 3, '0') as product_id, n / ${PRODUCTS} % ${PENDING_EVERY} = 0 as pending,
          timestamptz '2026-01-01' + n * interval '10 s' as created_at
        from generate_series(1, ${count}) n;
      insert into assets (account_id, id, provider_id, connection_id, product_id, status, external_id, external_uid, marketplace_id, contract_id, customer_id, requests_made, created_at)
        select '${ACCOUNT}', 'AS-' || digits, '${PROVIDER}', 'CT-0000-0000-0' || right(product_id, 3), product_id, case when pending then 'processing' else 'active' end,
          n::text, 'uid-' || n, 'MP-00001', 'CRD-00000-00000-00001', 'TA-0000-0000-' || lpad((n % 1000 + 1)::text, 4, '0'), 1, created_at from made;
      insert into requests (account_id, id, asset_id, provider_id, product_id, type, status, template_id, template_body, effective_date, asset_status, created_at)
        select '${ACCOUNT}', 'PR-' || digits || '-001', 'AS-' || digits, '${PROVIDER}', product_id, 'purchase', case when pending then 'pending' else 'approved' end,
          'TL' || substr(product_id, 4), 'Your key is {{ license_key }}', case when not pending then created_at end, 'draft', created_at from made;
      insert into request_items (account_id, request_id, item_id, quantity, old_quantity) select '${ACCOUNT}', 'PR-' || digits || '-001', product_id || '-0001', 10, 0 from made;
      insert into parameter_values (account_id, owner_id, parameter_id, value)
        select '${ACCOUNT}', 'PR-' || digits || '-001', 'PRM' || substr(product_id, 4) || '-0001', 'admin@example.com' from made;
      drop table made;
      set session_replication_role = default;
    `).execute(one)
  })
  await sql`vacuum (analyze) requests, assets, request_items, parameter_values, product_items, product_parameters, tier_accounts, products, connections`.execute(db)
}

const REQUEST_PARTS_OF_SQL = `
  select r.*, a.external_id, a.external_uid, a.status as asset_state, p.name as product_name, c.type as connection_type, m.name as marketplace_name, t.name as customer, t.contact_info,
    (select json_agg(json_build_object('item', i.item_id, 'quantity', i.quantity, 'old_quantity', i.old_quantity, 'name', pi.display_name)) from request_items i
      join product_items pi on pi.account_id = i.account_id and pi.id = i.item_id where i.account_id = r.account_id and i.request_id = r.id) as items,
    (select json_agg(json_build_object('parameter', d.name, 'title', d.title, 'constraints', d.constraints, 'value', v.value) order by d.position) from product_parameters d
      left join parameter_values v on v.account_id = d.account_id and v.owner_id = r.id and v.parameter_id = d.id
      where d.account_id = r.account_id and d.product_id = r.product_id and d.scope = 'asset') as params
  from page r
  join assets a on a.account_id = r.account_id and a.id = r.asset_id
  join products p on p.account_id = r.account_id and p.id = r.product_id
  join connections c on c.account_id = a.account_id and c.id = a.connection_id
  join marketplaces m on m.provider_id = a.provider_id and m.id = a.marketplace_id
  left join tier_accounts t on t.provider_id = a.provider_id and t.id = a.customer_id
  order by r.created_at, r.id`
const PAGE_OF_SQL = `select * from requests where account_id = $1 and product_id = $2 and status = 'pending' order by created_at, id limit ${PAGE}`
const BARE = {
  page: PAGE_OF_SQL,
  whole: `with page as materialized (${PAGE_OF_SQL}) ${REQUEST_PARTS_OF_SQL}`,
  count: "select count(*) from requests where account_id = $1 and product_id = $2 and status = 'pending'",
}

const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] as number
const productOf = (n: number): string => `PRD-000-000-${String(n % PRODUCTS + 1).padStart(3, '0')}`

function occurrences (bytes: Buffer, text: string): number {
  let count = 0
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) count++
  return count
}

/** Milliseconds of each list through HTTP, one after the other. */
async function listRound (port: number, authorization: string): Promise<number[]> {
  const took: number[] = []
  let began_at = 0
  await drive(port, () => {
    if (took.length === LISTS_PER_ROUND) return undefined
    began_at = performance.now()
    return Buffer.from(`GET /v1/requests?status=pending&asset.product.id=${productOf(took.length)}&ordering(created)&limit=${PAGE} HTTP/1.1\r\nhost: bench\r\nauthorization: ${authorization}\r\n\r\n`)
  }, (status, body) => {
    took.push(performance.now() - began_at)
    if (status !== '200' || occurrences(body, '"params":[') < PAGE) throw new Error(`a list was answered ${status}: ${body.toString('utf8', 0, 300)}`)
  })
  return took
}

async function sqlRound (client: pg.Client, names: ReadonlyArray<keyof typeof BARE>): Promise<number[]> {
  const took: number[] = []
  for (let n = 0; n < LISTS_PER_ROUND; n++) {
    const began_at = performance.now()
    for (const name of names) await client.query({ name, text: BARE[name], values: [ACCOUNT, productOf(n)] })
    took.push(performance.now() - began_at)
  }
  return took
}

async function benchList (at: Stage, port: number, authorization: string): Promise<void> {
  printHead(`a page of ${PAGE} pending requests out of ${REQUESTS}, ${ROUNDS} rounds of ${LISTS_PER_ROUND} lists each, in turn; milliseconds`)
  const client = new pg.Client({ connectionString: at.server.url() })
  await client.connect()
  const p99: Record<'http' | 'page' | 'whole' | 'foreign', number[]> = { http: [], page: [], whole: [], foreign: [] }
  for (let warm_up = 0; warm_up < 2; warm_up++) await listRound(port, authorization)
  for (let round = 0; round < ROUNDS; round++) {
    p99.foreign.push(await foreignShare(async () => {
      p99.http.push(percentile(await listRound(port, authorization), 0.99))
      p99.page.push(percentile(await sqlRound(client, ['count', 'page']), 0.99))
      p99.whole.push(percentile(await sqlRound(client, ['count', 'whole']), 0.99))
    }))
  }
  await client.end()
  print('p99 through HTTP', p99.http, 2)
  print('p99 of bare SQL: the total and the same requests with their parts', p99.whole, 2)
  print('ratio, round by round', p99.http.map((ms, i) => ms / p99.whole[i]!), 2)
  print('p99 of bare SQL: the total and the rows of requests alone', p99.page, 2)
  print('ratio, round by round', p99.http.map((ms, i) => ms / p99.page[i]!), 2)
  print('share of the machine used by others', p99.foreign, 2)
}

/** A purchase of one unit for a customer that is known. */
function purchase (authorization: string): Buffer {
  return post('/v1/requests', `authorization: ${authorization}\r\n`, JSON.stringify({
    type: 'purchase',
    asset: {
      external_uid: randomUUID(),
      connection: { id: 'CT-0000-0000-0001' },
      items: [{ id: 'PRD-000-000-001-0001', quantity: 1 }],
      params: [{ id: 'admin_email', value: 'admin@example.com' }],
      tiers: { customer: { id: 'TA-0000-0000-0001' } },
    },
  }))
}

/** How many a second were answered as they should be. */
async function throughput (port: number, make: () => Buffer, isRight: (status: string, body: Buffer) => boolean): Promise<number> {
  const began_at = performance.now()
  let answers = 0
  const next = (): Buffer | undefined => performance.now() < began_at + SECONDS * 1000 ? make() : undefined
  await Promise.all(Array.from({ length: CONNECTIONS }, () => drive(port, next, (status, body) => {
    if (!isRight(status, body)) throw new Error(`${status} ${body.toString('utf8', 0, 500)}`)
    answers++
  })))
  return answers / ((performance.now() - began_at) / 1000)
}

/** Real keys, as an approved purchase shows its own. */
async function load (port: number, authorization: string): Promise<void> {
  const body = Array.from({ length: LICENSES }, (_, i) => `BENCH-${String(i).padStart(10, '0')}-KEY`).join('\n')
  const response = await fetch(`http://127.0.0.1:${port}/v1/pools/${POOL}/licenses`, { method: 'POST', headers: { authorization, 'content-type': 'text/plain' }, body })
  if (!response.ok) throw new Error(`the load was answered ${response.status}: ${await response.text()}`)
}

async function benchPurchases (at: Stage, port: number, provider: string): Promise<void> {
  printHead(`\npurchases filled and approved per second, ${CONNECTIONS} connections, against orders, ${ROUNDS} rounds of ${SECONDS} s each, in turn`)
  const source = { account_id: ACCOUNT, kind: 'standard-webhooks', name: 'bench', mode: 'live', settings: {} } as const
  const { id, secret } = await inTransaction(at.db, (trx) => createSource(trx, at.keyring, source, 'bench'))
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const buy = (): Promise<number> => throughput(port, () => purchase(provider), (status, body) => status === '201' && body.includes('"status":"approved"'))
  const pay = (): Promise<number> => throughput(port, () => signedOrder(id, key), (status) => status === '200')
  await buy()
  await pay()
  await settle(at.db)
  const rounds: Array<{ purchases: number, orders: number, foreign: number }> = []
  for (let round = 0; round < ROUNDS; round++) {
    let [purchases, orders] = [0, 0]
    const foreign = await foreignShare(async () => { [purchases, orders] = [await buy(), await pay()] })
    rounds.push({ purchases, orders, foreign })
  }
  print('purchases/s, approved', rounds.map(({ purchases }) => purchases))
  print('orders/s', rounds.map(({ orders }) => orders))
  print('ratio, round by round', rounds.map(({ purchases, orders }) => purchases / orders), 2)
  print('share of the machine used by others', rounds.map(({ foreign }) => foreign), 2)
  if (figures(rounds.map(({ foreign }) => foreign)).max > FOREIGN_MAX) console.log('\nINCONCLUSIVE: others used more than 15 % of the machine')
}

async function main (): Promise<void> {
  const at = await stage()
  const keyOf = async (account_id: string, preset: 'vendor' | 'provider'): Promise<string> => {
    const { id, secret } = await inTransaction(at.db, (trx) => createApiKey(trx, { account_id, name: 'bench', permissions: PRESETS[preset] }, null))
    return `ApiKey ${id}:${secret}`
  }
  await market(at.db)
  await requests(at.db, REQUESTS)
  const { child, port } = await startService(at)
  try {
    const vendor = await keyOf(ACCOUNT, 'vendor')
    await load(port, vendor)
    await benchList(at, port, vendor)
    await benchPurchases(at, port, await keyOf(PROVIDER, 'provider'))
  } finally {
    child.kill()
    await at.close()
  }
}

await main()
