// A headless Chromium that notes whatever a page does that it should not.
import { createRequire } from 'node:module'
import { existsSync, readFileSync } from 'node:fs'
import type { AxeResults } from 'axe-core'
import { launch, type Browser, type Page } from 'puppeteer-core'

/** Undefined: there is no Chromium, and what needs one is skipped. */
export const CHROMIUM = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .find((file) => file !== undefined && file !== '' && existsSync(file))

const RUN = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const openBrowser = (): Promise<Browser> =>
  // as root, and in containers, its own sandbox cannot be set up: it sees nothing here but our page
  launch({ executablePath: CHROMIUM as string, args: ['--no-sandbox', '--disable-dev-shm-usage'] })

export const PHONE = { width: 320, height: 640, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }
export const DESKTOP = { width: 1280, height: 900 }

export interface Watched { page: Page, /** what it asked for of other sites, and what its console said */ faults: string[], close: () => Promise<void> }

/** A page of its own, with nothing kept from others, in a language. Its clipboard may be written to. */
export async function watchedPage (browser: Browser, base: string, { language = 'en-GB', viewport = DESKTOP as object, clipboard = true } = {}): Promise<Watched> {
  const context = await browser.createBrowserContext()
  if (clipboard) await context.overridePermissions(base, ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write'])
  const page = await context.newPage()
  await page.setViewport(viewport as typeof DESKTOP)
  await page.evaluateOnNewDocument(`Object.defineProperty(navigator, 'languages', { get: () => ['${language}'] })`)
  const faults: string[] = []
  page.on('request', (request) => { if (!request.url().startsWith(`${base}/`)) faults.push(`asked for ${request.url()}`) })
  page.on('console', (message) => { faults.push(`console: ${message.text()}`) })
  page.on('pageerror', (error) => { faults.push(`error: ${String(error)}`) })
  return { page, faults, close: () => context.close() }
}

/** How the page looks to who wants it light or dark, and without motion. */
export async function inScheme (page: Page, scheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }])
}

/** What axe finds wrong, in light and in dark. Its script is put into the page past the page's own policy, which is for pages and not for testers. */
export async function faultsOfAxe (page: Page): Promise<string[]> {
  const found: string[] = []
  await page.evaluate(AXE)
  for (const scheme of ['light', 'dark'] as const) {
    await inScheme(page, scheme)
    const { violations } = await page.evaluate(RUN) as AxeResults
    found.push(...violations.map(({ id, nodes }) => `${scheme} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary ?? ''}`).join(' | ')}`))
  }
  return found
}
