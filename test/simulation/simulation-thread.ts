/**
 * The simulation in a thread of its own: in a test's thread tap follows each promise, which takes
 * longer than the simulation itself.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { openGateUnderTest } from './gate-under-test.js'
import { mutations, runMutation } from './mutations.js'
import { runWorld, simulate, type SimulationOptions } from './simulation.js'

type Given = Omit<SimulationOptions, 'openGate' | 'breakParts'>

/** What passes between threads has no functions. */
const tasks = {
  mutation: async (index: number, stepsMax: number) => {
    const mutation = mutations[index]
    if (mutation === undefined) throw new Error(`no mutation ${index}`)
    const { caught, unbroken, steps } = await runMutation(mutation, mutation.seed ?? 1, stepsMax)
    return { caught, unbroken, steps }
  },
  simulate: (seed: number, steps: number, given: Given) =>
    simulate(seed, steps, { ...given, openGate: openGateUnderTest }),
  world: (seed: number, stepsMax: number, given: Given) =>
    runWorld(seed, stepsMax, { ...given, openGate: openGateUnderTest }),
}

type Tasks = typeof tasks

/** One task at a time. */
export class SimulationThread {
  private readonly worker = new Worker(new URL(import.meta.url), {
    execArgv: ['--enable-source-maps'],
  })

  async run<Name extends keyof Tasks>(name: Name, ...given: Parameters<Tasks[Name]>) {
    this.worker.postMessage([name, given])
    const [result] = (await once(this.worker, 'message')) as [Awaited<ReturnType<Tasks[Name]>>]
    return result
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }
}

if (!isMainThread)
  parentPort?.on('message', ([name, given]: [keyof Tasks, never]) => {
    const run = tasks[name] as (...given: unknown[]) => Promise<unknown>
    void run(...(given as unknown[])).then((result) => parentPort?.postMessage(result))
  })
