// Fulfills what waits: for every pending request of the product, writes the license key and approves.
import { randomBytes } from 'node:crypto'
import connect from '@cloudblueconnect/connect-javascript-sdk'

const { LATCHKEY_URL = 'http://127.0.0.1:3000', VENDOR_KEY, PRODUCT_ID } = process.env
const fulfillment = new connect.Fulfillment(new connect.ConnectClient(`${LATCHKEY_URL}/v1`, `ApiKey ${VENDOR_KEY}`))

for (const request of await fulfillment.searchRequests({ status: 'pending', 'asset.product.id': PRODUCT_ID })) {
  await fulfillment.updateRequestParameters(request.id, [{ id: 'license_key', value: randomBytes(10).toString('hex').toUpperCase() }])
  const { status } = await fulfillment.approveRequestWithTemplate(request.id, request.template.id)
  console.log(`${request.id} ${status}`)
}
