import { faultsOfWords, type WordsFault } from '../mailer/lint.js'
import { render, type Letter } from '../mailer/render.js'
import { TextTooLong } from '../mailer/tags.js'

/** A mail as it would be sent, and what is wrong with its words. */
export interface Preview { subject: string, text: string, html: string, locale_used: string | null, problems: WordsFault[] }

/** Writes a mail that nobody gets. `needs_key`: what is wrong with words that have no place for the keys is told too. */
export function previewOf (letter: Letter, needs_key: boolean): Preview {
  const problems = faultsOfWords(letter.product, needs_key)
  try {
    const { recipient_name: _, ...written } = render(letter)
    return { ...written, problems }
  } catch (error) {
    if (!(error instanceof TextTooLong)) throw error
    const too_long = { field: 'mail_template', line: 1, column: 1, message: 'the mail would be too long to be sent' }
    return { subject: '', text: '', html: '', locale_used: null, problems: [...problems, too_long] }
  }
}
