// A worker in a process of its own, for tests that kill it: worker-process <database url> <key material> <webhook timeout>
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { buildLogger } from '../../src/log.js'
import { readKeyring } from '../../src/sealing.js'
import { startWorker } from '../../src/worker.js'

const [database = '', material = '', timeout = ''] = process.argv.slice(2)
const config = readConfig({ SMTP_URL: 'smtp://127.0.0.1:1', WORKER_POLL_MS: '50', WEBHOOK_TIMEOUT_MS: timeout, LOG_LEVEL: 'info' })
startWorker({ db: connectDatabase(database, config), config, keyring: readKeyring(material), log: buildLogger(config) })
