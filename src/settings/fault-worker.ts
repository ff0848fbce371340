/** The thread that finds the faults of a large configuration while the daemon serves. */
import { parentPort, workerData } from 'node:worker_threads'
import { faultsOf, type Source } from './load.js'

parentPort?.postMessage(faultsOf(workerData as Source, process.env))
