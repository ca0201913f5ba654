import { fingerprint, open, seal, type Keyring } from '../sealing.js'

/** Whom an erasure of a person is about, for as long as it runs. The address in lower case. */
export interface Subject { email?: string | undefined, order_id?: string | undefined, tier_account_id?: string | undefined }

/** Two with the same are about the same. */
export function subjectFingerprint (keyring: Keyring, account_id: string, subject: Subject | 'retention'): Buffer {
  return fingerprint(keyring, account_id, 'erasure', Buffer.from(JSON.stringify(subject)))
}

export function sealSubject (keyring: Keyring, account_id: string, id: string, subject: Subject): Buffer {
  return seal(keyring, ['erasure', account_id, id], Buffer.from(JSON.stringify(subject)))
}

export function openSubject (keyring: Keyring, account_id: string, id: string, sealed: Buffer): Subject {
  return JSON.parse(open(keyring, ['erasure', account_id, id], sealed).toString()) as Subject
}
