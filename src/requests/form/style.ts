import { createHash } from 'node:crypto'

/** Sizes of fonts and targets are those that phones neither zoom nor miss; every colour has a contrast of 4.5 or more on its ground. */
export const STYLE = `
:root { color-scheme: light; font: 1rem/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 40rem; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
.text { white-space: pre-line }
.field { margin: 1.5rem 0; padding: 0; border: 0; min-width: 0 }
label, legend { display: block; padding: 0; font-weight: 600 }
legend { margin-bottom: .25rem }
.part { margin-top: .75rem } .part label, .option label { font-weight: 400 }
.option { display: flex; gap: .75rem; align-items: center; min-height: 2.75rem } .option label { flex: 1; padding: .5rem 0 }
.option input { flex: none; width: 1.4rem; height: 1.4rem; margin: 0 }
.mark { font-weight: 400; color: #57606a } .hint { margin: 0; color: #57606a; white-space: pre-line }
.input { display: block; width: 100%; min-height: 2.75rem; margin-top: .25rem; padding: .5rem; font: inherit; color: inherit; background: #fff; border: 1px solid #6e7781; border-radius: .25rem }
.input[readonly], .input:disabled { background: #f3f4f6 }
.mono { font-family: ui-monospace, monospace }
[aria-invalid] { border: 2px solid #b3261e }
.error { margin: .25rem 0 0; color: #b3261e; font-weight: 600 }
.problems { padding: 1rem; border: 3px solid #b3261e; border-radius: .25rem } .problems h2 { margin: 0 } .problems ul { margin: .5rem 0 0; padding-inline-start: 1.25rem }
.problems a { color: #b3261e }
button { width: 100%; min-height: 3rem; padding: .5rem 2rem; font: inherit; font-weight: 600; color: #fff; background: #0b5cad; border: 0; border-radius: .25rem; cursor: pointer }
:focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px }
@media (min-width: 30rem) { button { width: auto } }
`

/** How a Content-Security-Policy names the style, so that no other is let in. */
export const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`
