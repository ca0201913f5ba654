// The page of an order. What is behind the # of the link is the token: it goes to this service in a header and nowhere else. Texts are put into the page
// as texts, never as markup.
import { fill, languageOf } from './words.js'

const COPIED_MS = 2500 // how long a button says so
const byId = (id) => document.getElementById(id)

let language = languageOf(navigator.languages ?? [])
/** The newest load: what an older one brings is late. */
let loads = 0

/** From right to left, what is filled in is set apart: it may be written the other way. */
function say (name, values = {}) {
  const apart = Object.entries(values).map(([key, value]) => [key, `\u2068${value}\u2069`]) // first strong isolate … pop
  return fill(language.words[name], language.direction === 'rtl' ? Object.fromEntries(apart) : values)
}
const date = (text) => new Intl.DateTimeFormat(language.locale, { dateStyle: 'long' }).format(new Date(text))

/** Tells who cannot see what changed. */
function announce (text) {
  byId('said').textContent = text
}

function element (tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  if (text !== undefined) made.textContent = text
  made.append(...children)
  return made
}

/** `hidden`: what a screen reader says after the text, where the eye sees it from the place. */
function button (text, { main = false, hidden = '' } = {}, pressed) {
  const label = element('span', { text })
  const made = element('button', { type: 'button', ...(main ? { class: 'main' } : {}) }, label)
  if (hidden !== '') made.append(element('span', { class: 'unseen', text: ` ${hidden}` }))
  made.addEventListener('click', () => pressed(made, label))
  return made
}

function useLanguage (locales) {
  language = languageOf(locales)
  document.documentElement.lang = language.locale
  document.documentElement.dir = language.direction
}

/** What the page is about, as its title, and what is on it. */
function show (title, ...content) {
  document.title = title
  byId('title').textContent = title
  byId('content').replaceChildren(...content)
}

async function call (path, options = {}) {
  const headers = { 'Order-Token': window.location.hash.slice(1), ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }) }
  const answer = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' })
  return { status: answer.status, body: answer.ok ? await answer.json() : undefined }
}

async function load () {
  const mine = ++loads
  byId('footer').replaceChildren()
  byId('seller').textContent = ''
  show(say('yours'), element('p', { class: 'note', text: say('loading') }))
  // what cannot be in a header is no token
  const { status, body } = /^#[\w-]+$/.test(window.location.hash) ? await call('v1/order-page').catch(() => ({ status: 0 })) : { status: 404 }
  if (mine !== loads) return
  if (body !== undefined) showOrder(body)
  else showFailure(status)
}

function showFailure (status) {
  if (status === 404) {
    show(say('no_link'), element('section', { class: 'card notice' }, element('p', { text: say('no_link_why') })))
    announce(`${say('no_link')}. ${say('no_link_why')}`)
    return
  }
  const why = say(status === 429 ? 'too_many' : 'failed_why')
  show(say('failed'), element('section', { class: 'card notice' }, element('p', { text: why }), buttons(button(say('retry'), { main: true }, reload))))
  announce(`${say('failed')}. ${why}`)
}

const buttons = (...all) => element('div', { class: 'buttons' }, ...all)

/** Loads again; the button is gone then, so the title has the focus. */
async function reload () {
  await load()
  byId('title').focus()
}

function showOrder (order) {
  useLanguage([...(order.locale === null ? [] : [order.locale]), ...navigator.languages ?? []])
  byId('seller').textContent = order.seller
  const notices = order.status === 'paid' ? [] : [element('section', { class: 'card notice' }, element('p', { text: say(order.status) }))]
  const facts = element('p', { class: 'facts', text: say('ordered', { date: date(order.paid_at) }) })
  show(say('order', { order: order.external_id }), facts, ...notices, ...order.line_items.map(lineOf))
  if (order.seller !== '') document.title += ` – ${order.seller}`
  if (!order.is_withheld) byId('footer').replaceChildren(element('p', { text: say('until', { date: date(order.expires_at) }) }))
  announce(notices.length > 0 ? say(order.status) : say('loaded'))
}

function lineOf (line, i) {
  const heading = element('h2', { id: `line-${i}`, text: line.product })
  const head = element('div', { class: 'head' }, heading, ...(line.quantity > 0 ? [element('p', { text: say('quantity', { n: line.quantity }) })] : []))
  const licenses = element('div')
  if (line.licenses.length > 0) showLicenses(licenses, line)
  const notes = []
  if (line.waiting > 0) notes.push(element('p', { class: 'note', text: say('waiting', { n: line.waiting }) }), buttons(button(say('check'), { hidden: line.product }, reload)))
  else if (['mailed', 'ended', 'unavailable'].includes(line.state)) notes.push(element('p', { class: 'note', text: say(line.state) }))
  return element('article', { class: 'card', 'aria-labelledby': heading.id }, head, ...(line.licenses.length > 0 ? [licenses] : []), ...notes)
}

/** The licenses of a line in its place on the page: masked with a button that shows them, or in clear with buttons that copy them. */
function showLicenses (place, line) {
  const { product } = line
  const items = line.licenses.map(({ masked, key }, i) => key === null
    ? element('li', {}, element('code', { class: 'masked', text: masked }))
    : keyOf(key, { n: i + 1, product }))
  const keys = line.licenses.flatMap(({ key }) => key === null ? [] : [key])
  const below = []
  if (keys.length < line.license_count) {
    if (line.licenses.length < line.license_count) below.push(element('p', { class: 'note', text: say('listed', { n: line.licenses.length, all: line.license_count }) }))
    below.push(buttons(button(say('show'), { main: true, hidden: product }, (pressed, label) => reveal(place, line, pressed, label))))
  } else if (keys.length > 1) {
    below.push(buttons(button(say('copy_all'), { hidden: say('licenses', { product }) }, (_, label) => copy(keys.join('\n'), label, place.querySelector('ul')))))
  }
  place.replaceChildren(element('ul', {}, ...items), ...below)
}

function keyOf (key, about) {
  const shown = element('code', { text: key })
  if (/^https:\/\/\S+$/.test(key) && URL.canParse(key)) shown.replaceChildren(element('a', { href: key, rel: 'noreferrer noopener', target: '_blank', text: key }))
  return element('li', {}, shown, button(say('copy'), { hidden: say('license', about) }, (_, label) => copy(key, label, shown)))
}

async function reveal (place, line, pressed, label) {
  if (pressed.getAttribute('aria-disabled') === 'true') return
  pressed.setAttribute('aria-disabled', 'true')
  label.textContent = say('showing')
  const { status, body } = await call('v1/order-page/reveal', { method: 'POST', body: JSON.stringify({ line_item_id: line.id }) }).catch(() => ({ status: 0 }))
  if (status === 404 || status === 409) return reload() // expired, or refunded meanwhile: the page says so
  if (body === undefined) {
    pressed.removeAttribute('aria-disabled')
    label.textContent = say('show')
    if (place.querySelector('.failed') === null) place.append(element('p', { class: 'note failed', text: say('show_failed') }))
    announce(say('show_failed'))
    return
  }
  showLicenses(place, { ...line, licenses: body.licenses, license_count: body.licenses.length })
  place.querySelector('button').focus()
  announce(say('shown'))
}

/** Where a browser keeps pages from the clipboard, the text is selected, to be copied by hand. */
async function copy (text, label, shown) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    window.getSelection().selectAllChildren(shown)
    announce(say('select'))
    return
  }
  const said = label.textContent
  label.textContent = say('copied')
  announce(say('copied'))
  if (said !== say('copied')) setTimeout(() => { label.textContent = said }, COPIED_MS)
}

window.addEventListener('hashchange', load) // another link in the same tab
useLanguage(navigator.languages ?? [])
load()
