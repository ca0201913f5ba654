// Buys the product for a customer, waits to be told that it was approved, and reads the license key.
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import connect from '@cloudblueconnect/connect-javascript-sdk'
import { Webhook } from 'standardwebhooks'

const { LATCHKEY_URL = 'http://127.0.0.1:3000', PROVIDER_KEY, PRODUCT_ID, CONNECTION_ID } = process.env
const client = new connect.ConnectClient(`${LATCHKEY_URL}/v1`, `ApiKey ${PROVIDER_KEY}`)
const fulfillment = new connect.Fulfillment(client)

// Where we are told. In production this is an https address of yours.
let secret = ''
const told = new EventEmitter()
const receiver = http.createServer(async (request, response) => {
  try {
    const { type, data } = new Webhook(secret).verify((await request.toArray()).join(''), request.headers)
    told.emit(type, data.id)
    response.writeHead(204).end()
  } catch {
    response.writeHead(400).end()
  }
}).listen(0, '127.0.0.1')
await once(receiver, 'listening')

const webhook = await client.webhooks.create({
  label: 'requests of the shop',
  type: 'change',
  object_class: 'fulfillment_request',
  product_id: PRODUCT_ID,
  external_url: `http://127.0.0.1:${receiver.address().port}/`,
  active: true,
})
secret = webhook.signing_secret

const [item] = await client.products.getItems(PRODUCT_ID)
const request = await fulfillment.createRequest({
  type: 'purchase',
  asset: {
    external_uid: randomUUID(),
    connection: { id: CONNECTION_ID },
    items: [{ id: item.id, quantity: 1 }],
    params: [{ id: 'admin_email', value: 'ada@example.com' }],
    tiers: {
      customer: {
        external_uid: randomUUID(),
        name: 'Analytical Engines',
        contact_info: {
          address_line1: '12 St James Square',
          city: 'London',
          postal_code: 'SW1Y 4JH',
          country: 'GB',
          contact: { first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com', phone_number: { country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' } },
        },
      },
    },
  },
})
console.log(`${request.id} ${request.status}`)

// Whatever is told, the request itself says how it stands.
let current
for (let news = once(told, 'fulfillment_request.approved'); ; news = once(told, 'fulfillment_request.approved')) {
  current = await fulfillment.getRequest(request.id)
  if (current.status === 'approved') break
  await news
}
console.log(`${current.id} ${current.status} ${current.asset.params.find(({ id }) => id === 'license_key').value}`)

await client.webhooks.delete(webhook.id)
receiver.close()
