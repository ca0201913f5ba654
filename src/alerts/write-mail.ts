import { escapeHtml, oneLine } from '../mailer/tags.js'
import { KINDS, type Kind } from './kinds.js'
import { sentenceOf, WHAT_TO_DO } from './wording.js'

/** An alert as a mail tells it. */
export interface ToldAlert { id: string, kind: Kind, subject_id: string, step: number, raised_at: Date, data: Readonly<Record<string, unknown>> }

/** Of each kind so many are told one by one; the others are counted. */
const TOLD_MAX = 50
const SUBJECT_MAX = 150 // a line of a list of mails shows no more

interface Section { kind: Kind, items: Array<{ sentence: string, url: string, raised_at: string }>, more: number }

/** Of the steps of one pool the lowest says it all. */
function lowestSteps (alerts: readonly ToldAlert[]): ToldAlert[] {
  return alerts.filter(({ kind, subject_id, step }) => kind !== 'pool.low_percent' ||
    !alerts.some((other) => other.kind === kind && other.subject_id === subject_id && other.step < step))
}

function sectionsOf (alerts: readonly ToldAlert[], public_url: string): Section[] {
  return KINDS.map((kind) => {
    const told = lowestSteps(alerts).filter((alert) => alert.kind === kind)
    const items = told.slice(0, TOLD_MAX).map((alert) => ({
      sentence: oneLine(sentenceOf(alert)), url: `${public_url}/v1/alerts/${alert.id}`, raised_at: `${alert.raised_at.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    }))
    return { kind, items, more: told.length - items.length }
  }).filter((section) => section.items.length > 0)
}

const guideOf = (kind: Kind): string => `docs/alerts.md#${kind.replace('.', '')}`

function asText (sections: readonly Section[], vendor: string): string {
  const parts = sections.map(({ kind, items, more }) => [
    ...items.map(({ sentence, url, raised_at }) => `* ${sentence}\n  ${raised_at}, ${url}`),
    ...(more > 0 ? [`* and ${more} more of this kind`] : []),
    `What to do: ${WHAT_TO_DO[kind]} (${guideOf(kind)})`,
  ].join('\n'))
  return `${parts.join('\n\n')}\n\nAccount: ${vendor}. You get this because your address is set in PUT /v1/alert-settings. About one pool and kind there is at most one mail an hour.\n`
}

function asHtml (sections: readonly Section[], vendor: string): string {
  const parts = sections.map(({ kind, items, more }) => `<ul>
${items.map(({ sentence, url, raised_at }) => `<li>${escapeHtml(sentence)}<br><small>${escapeHtml(raised_at)}, <code>${escapeHtml(url)}</code></small></li>`).join('\n')}
${more > 0 ? `<li>and ${more} more of this kind</li>\n` : ''}</ul>
<p>What to do: ${escapeHtml(WHAT_TO_DO[kind])} (<code>${guideOf(kind)}</code>)</p>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"></head>
<body style="font-family:sans-serif">
${parts.join('\n')}
<p><small>Account: ${escapeHtml(vendor)}. You get this because your address is set in <code>PUT /v1/alert-settings</code>. About one pool and kind there is at most one mail an hour.</small></p>
</body></html>
`
}

/** A mail of one or more alerts: what happened, the numbers, and what to do. The same however often it is written. */
export function writeMail (vendor: string, alerts: readonly ToldAlert[], public_url: string): { subject: string, text: string, html: string } {
  const sections = sectionsOf(alerts, public_url)
  const [first] = sections.flatMap((section) => section.items)
  const others = sections.reduce((sum, { items, more }) => sum + items.length + more, 0) - 1
  const more = others > 0 ? ` (and ${others} more)` : ''
  const name = oneLine(vendor)
  return {
    subject: `${(first?.sentence ?? '').replace(/\.$/, '').slice(0, SUBJECT_MAX)}${more}`,
    text: asText(sections, name),
    html: asHtml(sections, name),
  }
}
