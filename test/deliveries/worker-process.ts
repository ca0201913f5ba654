// A worker in a process of its own, for tests that kill it: worker-process <database url> <smtp url> <key material>
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { buildLogger } from '../../src/log.js'
import { readKeyring } from '../../src/sealing.js'
import { startWorker } from '../../src/worker.js'

const [database = '', smtp = '', material = '', lease = '2000'] = process.argv.slice(2)
const config = readConfig({ SMTP_URL: smtp, MAIL_FROM: 'Acme <keys@acme.example>', DELIVERY_LEASE_MS: lease, WORKER_POLL_MS: '50', LOG_LEVEL: 'info' })
startWorker({ db: connectDatabase(database, config), config, keyring: readKeyring(material), log: buildLogger(config) })
