import { sql } from 'kysely'
import type { Check } from './check.js'

/** What mails say is kept as it was said. */
export const wordsChecks: readonly Check[] = [
  {
    name: 'the words of a product are those of its last version',
    over: 'products',
    broken: sql`
      select p.id from products p
      where not exists (
        select from mail_words m where m.account_id = p.account_id and m.product_id = p.id and m.version = p.words_version
          and m.words = jsonb_strip_nulls(jsonb_build_object(
              'family_name', p.family_name, 'url_to_instructions', p.url_to_instructions, 'url_to_download', p.url_to_download))
            || jsonb_build_object('name', p.name, 'mail_template', p.mail_template, 'locales', p.locales))
        or exists (
          select from mail_words m where m.account_id = p.account_id and m.product_id = p.id and m.version > p.words_version)`,
  }, {
    name: 'a delivery that was tried says words, and has around them, what there is a version of',
    over: 'deliveries',
    broken: sql`
      select d.id from deliveries d
      where d.worded_at is not null and (
        not exists (select from mail_words m where m.account_id = d.account_id and m.product_id = d.product_id and m.version = d.words_version)
        or (d.wrapper_version <> 0 and not exists (select from mail_wrappers w where w.account_id = d.account_id and w.version = d.wrapper_version)))`,
  },
]
