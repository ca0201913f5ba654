import type { Importer } from './importer.js'
import { readKeygen } from './keygen.js'
import { readLmfwc } from './lmfwc.js'
import { readTxt } from './txt.js'
import { readWcsn } from './wcsn.js'

/** By the name that `latchkey import --from` takes. */
export const importers: Readonly<Record<string, Importer>> = { lmfwc: readLmfwc, wcsn: readWcsn, keygen: readKeygen, txt: readTxt }
