import type { Kysely } from 'kysely'
import type { Database, Reader } from '../../src/database/connect.js'
import type { ClaimedDelivery } from '../../src/deliveries/claim.js'
import { finishDeliveries, type Finished, type Result } from '../../src/deliveries/finish.js'
import { readLetters } from '../../src/deliveries/read-letter.js'
import type { Letter } from '../../src/mailer/render.js'
import type { LinkMaker } from '../../src/order-page/link.js'

/** Writes down how one try ended. */
export async function finishDelivery (db: Kysely<Database>, claimed: Finished['claimed'], result: Result): Promise<string | undefined> {
  return (await finishDeliveries(db, [{ claimed, result }]))[0]
}

/** All that one mail is written from. */
export async function readLetter (db: Reader, maker: LinkMaker, claimed: ClaimedDelivery): Promise<Letter> {
  const [read] = await readLetters(db, maker, [claimed])
  if (read === undefined || read instanceof Error) throw read ?? new Error('nothing was read')
  return read.letter
}
