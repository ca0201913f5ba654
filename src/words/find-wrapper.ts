import type { Reader } from '../database/connect.js'
import type { WrapperTexts } from '../mailer/render.js'

/** What an account says around the words of its products; version 0 until it has written something. */
export interface FoundWrapper { version: number, texts: WrapperTexts, created_at: Date | null }

/** The wrapper of an account as it is now, or as of one of its versions. */
export async function findWrapper (db: Reader, account_id: string, version?: number): Promise<FoundWrapper> {
  const wrapper = await db.selectFrom('mail_wrappers').select(['version', 'texts', 'created_at']).where('account_id', '=', account_id)
    .$if(version !== undefined, (query) => query.where('version', '=', version ?? 0))
    .orderBy('version', 'desc').limit(1).executeTakeFirst()
  return wrapper === undefined ? { version: 0, texts: {}, created_at: null } : { ...wrapper, texts: wrapper.texts as unknown as WrapperTexts }
}
