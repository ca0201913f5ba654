import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'puppeteer-core'
import t from 'tap'
import { buildLogger } from '../../src/log.js'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { listen } from '../support/socket.js'
import { until } from '../support/until.js'
import { keys, load } from '../support/vendor.js'
import { CHROMIUM, DESKTOP, faultsOfAxe, inScheme, openBrowser, PHONE, watchedPage, type Watched } from './browser.js'
import { pageShop } from './support.js'

const skip = CHROMIUM === undefined && 'no Chromium: set CHROMIUM to one'
/** Where pictures of each state are put, to be looked at; undefined: none are taken. */
const SHOTS = process.env['SHOTS']

const log: string[] = []
const settings = { LOG_LEVEL: 'trace' }
const service: TestApp = await testApp(t, settings, { logger: buildLogger({ log_level: 'trace' }, { write: (line: string) => { log.push(line) } }) })
const base = `http://127.0.0.1:${await listen(service.app)}`
const browser = CHROMIUM === undefined ? undefined : await openBrowser()
t.teardown(async () => { await browser?.close() })

const open = async (token: string, options: Parameters<typeof watchedPage>[2] = {}): Promise<Watched> => {
  const watched = await watchedPage(browser!, base, options)
  await watched.page.goto(`${base}/order#${token}`)
  await watched.page.waitForSelector('.card, .notice')
  return watched
}
/** Reads something in the page. As text: this program is not compiled for browsers. */
const look = async <T>(page: Page, expression: string): Promise<T> => await page.evaluate(expression) as T
const textOf = (page: Page, selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '')
const said = (page: Page, what: RegExp): Promise<string> => until(`"${what.source}" to be said`, async () => { const text = await textOf(page, '#said'); return what.test(text) && text })
const press = async (page: Page, label: string): Promise<void> => { await (await page.waitForSelector(`::-p-xpath(//button[starts-with(., "${label}")])`))?.click() }

async function shoot (page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return
  mkdirSync(SHOTS, { recursive: true })
  for (const scheme of ['light', 'dark'] as const) {
    await inScheme(page, scheme)
    await page.screenshot({ path: path.join(SHOTS, `${name}-${scheme}.png`), fullPage: true })
  }
}

/** Whether anything is wider than the screen. */
const overflows = (page: Page): Promise<boolean> => look(page, 'document.documentElement.scrollWidth > document.documentElement.clientWidth')

/** Buttons that a finger misses. */
const smallButtons = (page: Page): Promise<string[]> => page.$$eval('button', (buttons) => buttons
  .filter((button) => { const { width, height } = button.getBoundingClientRect(); return width < 44 || height < 44 }).map((button) => button.textContent ?? ''))

// Guarantee: a customer with a phone or a desk sees his keys only after a click, which is in the database before; can copy one and all; and can do it with
// a keyboard alone. The page asks for nothing elsewhere, says nothing on the console, fits the screen and has no fault that axe knows.
t.test('a click shows the keys', { skip, timeout: 60_000 }, async (t) => {
  for (const [name, viewport] of [['phone', PHONE], ['desktop', DESKTOP]] as const) {
    const shop = await pageShop(service)
    const order = await shop.order('A-1001', [['click', 2], ['none', 1], ['show', 1], ['click', 9]])
    const token = await shop.token(order.id)
    const { page, faults, close } = await open(token, { viewport })
    const seen = async (): Promise<number> => (await shop.db.selectFrom('license_sightings').select('license_id')
      .where('account_id', '=', shop.vendor.account_id).where('how', '=', 'order_page').execute()).length
    t.match(await page.title(), /^Order A-1001 – vendor/)
    t.strictSame(await look(page, '[document.documentElement.lang, document.documentElement.dir]'), ['en-GB', 'ltr'])
    t.equal(await seen(), 1, 'only what is shown at once')
    t.notMatch(await textOf(page, 'main'), new RegExp(shop.stock.click.keys[0]!))
    t.match(await textOf(page, 'main'), new RegExp(shop.stock.show.keys[0]!))
    t.strictSame(await faultsOfAxe(page), [], `${name}: masked`)
    await shoot(page, `${name}-masked`)

    await page.focus('article:nth-of-type(1) button')
    await page.keyboard.press('Enter')
    await said(page, /licenses are shown/)
    t.equal(await seen(), 3)
    t.strictSame(await page.$$eval('article:nth-of-type(1) code', (codes) => codes.map((code) => code.textContent)), shop.stock.click.keys.slice(0, 2))
    t.match(await look(page, 'document.activeElement.textContent'), /^Copy license 1 of Studio click/, 'the focus is on what came')
    await page.keyboard.press('Enter')
    await said(page, /^Copied$/)
    t.equal(await look(page, 'navigator.clipboard.readText()'), shop.stock.click.keys[0])
    await press(page, 'Copy all')
    await until('all to be copied', async () => (await look(page, 'navigator.clipboard.readText()')) === shop.stock.click.keys.slice(0, 2).join('\n'))
    t.strictSame(await faultsOfAxe(page), [], `${name}: revealed`)
    await shoot(page, `${name}-revealed`)
    t.equal(await overflows(page), false)
    t.strictSame(await smallButtons(page), [])
    t.strictSame(faults, [])
    await close()
  }
  await assertInvariants(t, service.db)
})

// Guarantee: without the right to use the clipboard a copy selects the key, and says so.
t.test('a clipboard that is closed', { skip, timeout: 60_000 }, async (t) => {
  const shop = await pageShop(service)
  const { page, faults, close } = await open(await shop.token((await shop.order('A-1', [['show', 1]])).id))
  await look(page, "Object.defineProperty(navigator, 'clipboard', { value: undefined }) && 0")
  await press(page, 'Copy')
  await said(page, /is selected/)
  t.equal(await look(page, 'getSelection().toString()'), shop.stock.show.keys[0])
  t.strictSame(faults, [])
  await close()
})

// Guarantee: the page speaks the order's language, else the browser's, and turns to the right-to-left of Arabic, keys not turned; names are text,
// whatever is in them.
t.test('languages', { skip, timeout: 60_000 }, async (t) => {
  const shop = await pageShop(service)
  await load(shop.call, shop.stock.click.pool_id, keys(5, 'MORE-CLICKS'))
  const titles: Record<string, RegExp> = { de_AT: /^Bestellung/, fr: /^Commande/, es_MX: /^Pedido/, it: /^Ordine/, pt_BR: /^Pedido/, ar: /^الطلب/, ja: /^Order/ }
  for (const [i, [locale, title]] of Object.entries(titles).entries()) {
    const hostile = `<img src=x onerror=alert(1)> ${'W'.repeat(60)} ${i}`
    const order = await shop.order(hostile, [['click', 1], ['show', 9]], { locale })
    const { page, faults, close } = await open(await shop.token(order.id), { viewport: PHONE })
    t.match(await textOf(page, 'h1'), title, locale)
    t.match(await textOf(page, 'h1'), '<img src=x onerror=alert(1)>')
    t.strictSame(await look(page, "[document.documentElement.dir, getComputedStyle(document.querySelector('code')).direction]"), [locale === 'ar' ? 'rtl' : 'ltr', 'ltr'])
    t.strictSame([await overflows(page), await smallButtons(page), faults], [false, [], []], locale)
    if (['ar', 'de_AT'].includes(locale)) {
      t.strictSame(await faultsOfAxe(page), [], locale)
      await shoot(page, `language-${locale}`)
    }
    await close()
  }
  const { page, close } = await open(await shop.token((await shop.order('A-2', [['none', 1]])).id), { language: 'fr-CA' })
  t.match(await textOf(page, 'h1'), 'Commande A-2', 'the language of the browser')
  await close()
})

// Guarantee: whatever keeps the order from being shown is said in words with what to do, and a link in the same tab, or a second try, shows the next thing.
t.test('what is not shown, and why', { skip, timeout: 60_000 }, async (t) => {
  const shop = await pageShop(service)
  const order = await shop.order('A-1', [['click', 1], ['click', 5]])
  const [token, refunded] = [await shop.token(order.id), await shop.order('A-2', [['none', 1]])]
  await shop.call('POST', `/v1/orders/${refunded.id}/refund`, {})
  const states: Array<[name: string, token: string, says: RegExp]> = [
    ['no-link', '', /link does not work.*ask the seller/s], ['garbage', 'OP_x%20\u00e4', /link does not work/], ['wrong', `${token}A`, /link does not work/],
    ['refunded', await shop.token(refunded.id), /was refunded/], ['waiting', token, /Not in stock/],
  ]
  for (const [name, one, says] of states) {
    const { page, faults, close } = await open(one, { viewport: PHONE })
    t.match(await textOf(page, 'main'), says, name)
    t.strictSame(await faultsOfAxe(page), [], name)
    await shoot(page, name)
    const real = faults.filter((fault) => !(name === 'wrong' && /status of 404/.test(fault))) // Chromium says each 404
    t.strictSame([await overflows(page), real], [false, []], name)
    await close()
  }
  const { page, close } = await open(`${token}A`)
  await look(page, `location.hash = '${token}'`)
  await until('the other link to be opened', async () => /^Order A-1/.test(await page.title()))
  await page.setOfflineMode(true)
  await press(page, 'Look again')
  await until('the failure to be told', async () => /could not be loaded/.test(await textOf(page, 'h1')))
  t.strictSame(await faultsOfAxe(page), [], 'offline')
  await shoot(page, 'offline')
  await page.setOfflineMode(false)
  await press(page, 'Try again')
  await until('the order to be there again', async () => /^Order A-1/.test(await page.title()))
  t.equal(await look(page, 'document.activeElement.id'), 'title', 'the focus is not lost')
  await page.setOfflineMode(true)
  await press(page, 'Show licenses')
  await said(page, /could not be shown/)
  await page.setOfflineMode(false)
  await shop.call('POST', `/v1/orders/${order.id}/refund`, {})
  await press(page, 'Show licenses')
  await until('the refund to be told', async () => /was refunded/.test(await textOf(page, 'main')))
  await page.setJavaScriptEnabled(false)
  await page.reload()
  t.match(await textOf(page, 'noscript, main'), /needs JavaScript/)
  await shoot(page, 'no-script')
  await close()
})

// Guarantee: at four times the size nothing is lost or cut off; printed, keys are there and buttons are not.
t.test('large, and on paper', { skip, timeout: 60_000 }, async (t) => {
  const shop = await pageShop(service)
  const { page, close } = await open(await shop.token((await shop.order('A-1', [['show', 3]])).id), { viewport: { width: 320, height: 256 } }) // 1280 by 1024 at 400 %
  t.equal(await overflows(page), false)
  await shoot(page, 'zoomed')
  await page.emulateMediaType('print')
  t.strictSame(await page.$$eval('button', (buttons) => buttons.filter((button) => button.checkVisibility()).length), 0)
  t.match(await textOf(page, 'main'), new RegExp(shop.stock.show.keys[2]!))
  await close()
})

// Guarantee: what is behind the # reaches the log of the service in no form, nor does a key, though the log notes each request.
t.test('the log', { skip, timeout: 60_000 }, async (t) => {
  const lines = log.join('')
  t.match(lines, '"route":"/v1/order-page/reveal"')
  t.match(lines, '"route":"/order"')
  t.notMatch(lines, /OP_/)
  t.notMatch(lines, /CLICK-|SHOW-/)
})
