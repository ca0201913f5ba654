// What each operation needs, and who then gets it. Written down a second time on purpose: a route that asks for too little is seen here.
import type { Permission } from '../../src/accounts/permissions.js'

/** The two sides of a sale, a vendor and a provider who have no part in it, and the operator of the service. */
export const PARTIES = ['vendor', 'provider', 'vendor2', 'provider2', 'operator'] as const
export type Party = typeof PARTIES[number]
export interface Need { permission: Permission, gets: Record<Party, 'ok' | '400' | '403' | '404'> }

/**
 * For a valid request of the tenant (valid-requests.ts): `ok` is granted, of a list what is the caller's own. Absent is 404, or 400 where a
 * body names it. 403 is for who sees it and is on the wrong side, or for a side that never does such a thing.
 */
const TABLE = `
operation                      permission               vendor    provider  vendor2   provider2 operator
createAccount                  accounts:write           403       403       403       403       ok
listAccounts                   accounts:read            ok        ok        ok        ok        ok
getAccount                     accounts:read            ok        404       404       404       ok
renameAccount                  accounts:rename          ok        404       404       404       ok
listUsers                      accounts:read            ok        404       404       404       ok
getUser                        accounts:read            ok        404       404       404       ok
createApiKey                   api-keys:write           ok        ok        ok        ok        ok
listApiKeys                    api-keys:read            ok        ok        ok        ok        ok
revokeApiKey                   api-keys:write           ok        404       404       404       ok
createProduct                  products:write           ok        403       ok        403       403
listProducts                   products:read            ok        ok        ok        ok        ok
getProduct                     products:read            ok        ok        404       404       404
updateProduct                  products:write           ok        404       404       404       404
deleteProduct                  products:write           ok        404       404       404       404
createItem                     products:write           ok        404       404       404       404
listItems                      products:read            ok        ok        404       404       404
getItem                        products:read            ok        ok        404       404       404
updateItem                     products:write           ok        404       404       404       404
deleteItem                     products:write           ok        404       404       404       404
createParameter                products:write           ok        404       404       404       404
listParameters                 products:read            ok        ok        404       404       404
getParameter                   products:read            ok        ok        404       404       404
updateParameter                products:write           ok        404       404       404       404
deleteParameter                products:write           ok        404       404       404       404
createTemplate                 products:write           ok        404       404       404       404
listTemplates                  products:read            ok        ok        404       404       404
getTemplate                    products:read            ok        ok        404       404       404
updateTemplate                 products:write           ok        404       404       404       404
deleteTemplate                 products:write           ok        404       404       404       404
renderTemplate                 products:read            ok        ok        404       404       404
previewTemplate                products:read            ok        ok        404       404       404
listConfigurations             products:read            ok        ok        404       404       404
setConfiguration               products:write           ok        404       404       404       404
replaceConfiguration           products:write           ok        404       404       404       404
createAction                   products:write           ok        404       404       404       404
listActions                    products:read            ok        ok        404       404       404
getAction                      products:read            ok        ok        404       404       404
updateAction                   products:write           ok        404       404       404       404
deleteAction                   products:write           ok        404       404       404       404
getActionLink                  products:read            ok        ok        404       404       404
publishVersion                 products:write           ok        404       404       404       404
listVersions                   products:read            ok        ok        404       404       404
getVersion                     products:read            ok        ok        404       404       404
listVersionActions             products:read            ok        ok        404       404       404
getVersionAction               products:read            ok        ok        404       404       404
getVersionActionLink           products:read            ok        ok        404       404       404
createHub                      marketplaces:write       403       ok        403       ok        ok
listHubs                       marketplaces:read        ok        ok        ok        ok        ok
getHub                         marketplaces:read        ok        ok        404       404       ok
updateHub                      marketplaces:write       403       ok        403       404       ok
deleteHub                      marketplaces:write       403       ok        403       404       ok
createMarketplace              marketplaces:write       403       ok        403       400       ok
listMarketplaces               marketplaces:read        ok        ok        ok        ok        ok
listMarketplacesOfHub          marketplaces:read        ok        ok        404       404       ok
getMarketplace                 marketplaces:read        ok        ok        404       404       ok
updateMarketplace              marketplaces:write       403       ok        403       404       ok
deleteMarketplace              marketplaces:write       403       ok        403       404       ok
createContract                 marketplaces:write       ok        403       ok        403       403
listContracts                  marketplaces:read        ok        ok        ok        ok        ok
getContract                    marketplaces:read        ok        ok        404       404       ok
updateContract                 marketplaces:write       ok        403       404       403       403
deleteContract                 marketplaces:write       ok        403       404       403       403
createListing                  marketplaces:write       ok        403       400       403       403
listListings                   marketplaces:read        ok        ok        ok        ok        ok
getListing                     marketplaces:read        ok        ok        404       404       ok
updateListing                  marketplaces:write       ok        403       404       403       403
deleteListing                  marketplaces:write       ok        403       404       403       403
createConnection               marketplaces:write       ok        403       404       403       403
listConnections                marketplaces:read        ok        ok        404       404       ok
listConnectionsOfHub           marketplaces:read        ok        ok        404       404       ok
getConnection                  marketplaces:read        ok        ok        404       404       ok
updateConnection               marketplaces:write       ok        403       404       403       403
deleteConnection               marketplaces:write       ok        403       404       403       403
createPool                     pools:write              ok        404       404       404       404
listPools                      pools:read               ok        ok        ok        ok        ok
explainPoolRoute               pools:read               ok        404       404       404       404
getPool                        pools:read               ok        404       404       404       404
updatePool                     pools:write              ok        404       404       404       404
createHold                     holds:write              ok        404       404       404       404
listHolds                      holds:read               ok        ok        ok        ok        ok
getHold                        holds:read               ok        404       404       404       404
releaseHold                    holds:write              ok        404       404       404       404
getAvailability                pools:read               ok        404       404       404       404
placeOrder                     orders:write             ok        404       404       404       404
listOrders                     orders:read              ok        ok        ok        ok        ok
getOrder                       orders:read              ok        404       404       404       404
resendOrder                    orders:resend            ok        404       404       404       404
refundOrder                    orders:refund            ok        404       404       404       404
cancelOrder                    orders:cancel            ok        404       404       404       404
listPaymentEvents              payment-events:read      ok        ok        ok        ok        ok
getPaymentEvent                payment-events:read      ok        404       404       404       404
replayPaymentEvent             payment-events:replay    ok        404       404       404       404
createPaymentSource            payment-sources:write    ok        ok        ok        ok        ok
listPaymentSources             payment-sources:read     ok        ok        ok        ok        ok
getPaymentSource               payment-sources:read     ok        404       404       404       404
changePaymentSource            payment-sources:write    ok        404       404       404       404
deletePaymentSource            payment-sources:write    ok        404       404       404       404
listTierAccounts               tiers:read               ok        ok        ok        ok        ok
createTierAccount              tiers:write              403       ok        403       400       403
getTierAccount                 tiers:read               ok        ok        404       404       404
updateTierAccount              tiers:write              403       ok        404       404       404
deleteTierAccount              tiers:write              404       ok        404       404       404
listTierAccountVersions        tiers:read               ok        ok        404       404       404
getTierAccountVersion          tiers:read               ok        ok        404       404       404
listTierAccountRequests        tiers:read               ok        ok        ok        ok        ok
createTierAccountRequest       tiers:write              403       ok        403       400       403
getTierAccountRequest          tiers:read               ok        ok        404       404       404
acceptTierAccountRequest       tiers:write              ok        403       404       404       404
ignoreTierAccountRequest       tiers:write              ok        403       404       404       404
listTierConfigs                tiers:read               ok        ok        ok        ok        ok
getTierConfig                  tiers:read               ok        ok        404       404       404
renderTierConfig               tiers:read               ok        ok        404       404       404
listTierConfigRequests         tiers:read               ok        ok        ok        ok        ok
createTierConfigRequest        tiers:write              ok        ok        400       400       400
getTierConfigRequest           tiers:read               ok        ok        404       404       404
updateTierConfigRequest        tiers:write              ok        ok        404       404       404
submitTierConfigRequest        tiers:write              ok        ok        404       404       404
validateTierConfigRequest      tiers:write              ok        ok        404       404       404
renderTierConfigRequest        tiers:read               ok        ok        404       404       404
approveTierConfigRequest       tiers:write              ok        403       404       404       404
failTierConfigRequest          tiers:write              ok        403       404       404       404
inquireTierConfigRequest       tiers:write              ok        403       404       404       404
pendTierConfigRequest          tiers:write              ok        ok        404       404       404
unassignTierConfigRequest      tiers:write              ok        403       404       404       404
assignTierConfigRequest        tiers:write              ok        403       404       404       404
listAssets                     requests:read            ok        ok        ok        ok        ok
getAsset                       requests:read            ok        ok        404       404       404
listAssetRequests              requests:read            ok        ok        404       404       404
renderAsset                    requests:read            ok        ok        404       404       404
createRequest                  requests:write           403       ok        403       400       403
listRequests                   requests:read            ok        ok        ok        ok        ok
getRequest                     requests:read            ok        ok        404       404       404
updateRequest                  requests:write           ok        ok        404       404       404
deleteRequest                  requests:write           403       ok        404       404       404
validateRequest                requests:write           ok        ok        404       404       404
renderRequest                  requests:read            ok        ok        404       404       404
purchaseRequest                requests:write           403       ok        404       404       404
submitRequest                  requests:write           403       ok        404       404       404
approveRequest                 requests:approve         ok        403       404       404       404
failRequest                    requests:approve         ok        403       404       404       404
inquireRequest                 requests:approve         ok        403       404       404       404
scheduleRequest                requests:approve         ok        403       404       404       404
revokeRequest                  requests:write           403       ok        404       404       404
confirmRequest                 requests:approve         ok        403       404       404       404
assignRequest                  requests:approve         ok        403       404       404       404
unassignRequest                requests:approve         ok        403       404       404       404
assignRequestTo                requests:approve         ok        403       404       404       404
pendRequest                    requests:write           ok        ok        404       404       404
listRequestParameters          requests:read            ok        ok        404       404       404
getRequestParameter            requests:read            ok        ok        404       404       404
writeRequestParameter          requests:write           ok        ok        404       404       404
listRecurringAssets            subscriptions:read       ok        ok        ok        ok        ok
getRecurringAsset              subscriptions:read       ok        ok        404       404       404
listBillingRequests            subscriptions:read       ok        ok        ok        ok        ok
createBillingRequest           subscriptions:write      ok        ok        400       400       400
getBillingRequest              subscriptions:read       ok        ok        404       404       404
writeBillingRequestAttributes  subscriptions:write      ok        ok        404       404       404
listSupplies                   products:read            ok        404       404       404       404
replaceSupplies                products:write           ok        404       404       404       404
listSupplyOrders               supply-orders:read       ok        ok        ok        ok        ok
getSupplyOrder                 supply-orders:read       ok        404       404       404       404
retrySupplyOrder               supply-orders:retry      ok        404       404       404       404
listDeliveries                 deliveries:read          ok        ok        ok        ok        ok
getDelivery                    deliveries:read          ok        404       404       404       404
listConversations              conversations:read       ok        ok        ok        ok        ok
getConversation                conversations:read       ok        ok        404       404       404
closeConversation              conversations:write      ok        ok        404       404       404
listMessages                   conversations:read       ok        ok        404       404       404
postMessage                    conversations:write      ok        ok        404       404       404
getMessage                     conversations:read       ok        ok        404       404       404
updateMessage                  conversations:write      ok        403       404       404       404
listEvents                     events:read              ok        ok        ok        ok        ok
getEvent                       events:read              ok        404       404       404       404
loadLicenses                   licenses:load            ok        404       404       404       404
listLicenses                   licenses:read            ok        404       404       404       404
listBatches                    licenses:read            ok        ok        ok        ok        ok
getBatch                       licenses:read            ok        404       404       404       404
getLicense                     licenses:read            ok        404       404       404       404
revealLicense                  licenses:reveal          ok        404       404       404       404
withdrawLicense                licenses:withdraw        ok        404       404       404       404
createWebhook                  webhooks:write           ok        ok        404       404       404
listWebhooks                   webhooks:read            ok        ok        ok        ok        ok
getWebhook                     webhooks:read            ok        404       404       404       404
updateWebhook                  webhooks:write           ok        404       404       404       404
deleteWebhook                  webhooks:write           ok        404       404       404       404
triggerWebhook                 webhooks:write           ok        404       404       404       404
rotateWebhookSecret            webhooks:write           ok        404       404       404       404
listWebhookMessages            webhooks:read            ok        404       404       404       404
getWebhookMessage              webhooks:read            ok        404       404       404       404
replayWebhookMessage           webhooks:write           ok        404       404       404       404`

/** By operation. */
export const NEEDS: Readonly<Record<string, Need>> = Object.fromEntries(TABLE.trim().split('\n').slice(1).map((line) => {
  const [id = '', permission, ...cells] = line.split(/ +/)
  return [id, { permission, gets: Object.fromEntries(PARTIES.map((party, i) => [party, cells[i]])) } as Need]
}))

/** Which of the tenant's two sides may make a request; neither: only the operator does. */
export const sidesOf = (id: string): Array<'vendor' | 'provider'> => (['vendor', 'provider'] as const).filter((side) => [undefined, 'ok'].includes(NEEDS[id]?.gets[side]))
