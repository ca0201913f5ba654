import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { faultsOfText, sentenceOf } from '../mailer/lint.js'
import type { WrapperTexts } from '../mailer/render.js'
import { invalid } from '../problems.js'
import { findWrapper } from './find-wrapper.js'

/**
 * Writes the next version of what an account says around the words of its products; the same again is none. Mails that were tried keep theirs.
 *
 * @throws Problem validation-failed  a tag that there is none of, or one of keys
 */
export async function replaceWrapper (trx: Transaction<Database>, account_id: string, texts: WrapperTexts, actor: string): Promise<void> {
  const faults = Object.entries(texts).flatMap(([locale, parts]) => Object.entries(parts).flatMap(([part, text]) =>
    faultsOfText(`texts.${locale}.${part}`, text, { format: 'text', keys: 'refused' })))
  if (faults.length > 0) throw invalid(...faults.map(sentenceOf))
  await sql`select from accounts where id = ${account_id} for no key update`.execute(trx) // of two who write at once, one comes after the other
  const { version } = await findWrapper(trx, account_id)
  const { rows: [written] } = await sql<{ version: number }>`
    insert into mail_wrappers (account_id, version, texts, created_by)
    select ${account_id}, ${version + 1}, ${JSON.stringify(texts)}::jsonb, ${actor}
    where not exists (select from mail_wrappers where account_id = ${account_id} and version = ${version} and texts = ${JSON.stringify(texts)}::jsonb)
    returning version`.execute(trx)
  if (written === undefined) return
  await recordEvent(trx, { account_id, type: 'mail_wrapper.updated', subject_id: account_id, actor, data: { version: written.version } })
}
