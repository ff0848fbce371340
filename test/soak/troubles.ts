/** What the cluster does wrong for a while, and what a client may see of that. */

/** Kinds of faults; cluster-process.ts has their effects. */
export const troubles = [
  ...(['stall', 'reset', 'hangup', 'die-mid-stream', 'die-mid-length', 'halt'] as const),
  ...(['garbage', 'status-500', 'status-503', 'redirect', 'stream-error', 'down'] as const),
] as const
export type Trouble = (typeof troubles)[number]

/** Between the soak and its cluster; every request is answered by the next message. */
export type ClusterRequest =
  { readonly kind: 'trouble'; readonly trouble: Trouble | undefined } | { readonly kind: 'hang-up' }
export interface ClusterReply {
  readonly url: string
}

export interface Symptoms {
  readonly trouble: Trouble
  readonly statuses: readonly number[]
  /** Of answers that the gate passes on as they come. */
  readonly ofStreams?: readonly number[]
  /** Whether an answer may end inside, or where it was to begin. */
  readonly cut?: true
  /** Whether a listing may end with an error in its trailer. */
  readonly trailer?: true
}

const symptoms: Readonly<Record<Trouble, Omit<Symptoms, 'trouble'>>> = {
  stall: { statuses: [504] },
  reset: { statuses: [502] },
  hangup: { statuses: [502] },
  'die-mid-stream': { statuses: [502], cut: true },
  'die-mid-length': { statuses: [502], cut: true },
  // One that began was not late: it was broken off.
  halt: { statuses: [504], ofStreams: [502], cut: true },
  garbage: { statuses: [502] },
  // For the record of a pin, which is read first, that is not an answer.
  'status-500': { statuses: [500, 502] },
  'status-503': { statuses: [503] },
  redirect: { statuses: [502] },
  'stream-error': { statuses: [], trailer: true },
  down: { statuses: [502], cut: true },
}

/** Answers of a cluster that is well; after the others it may be out for a while: 503 at once. */
const isAnswer: ReadonlySet<Trouble> = new Set(['status-500', 'stream-error'])

/** The cluster's limits in the settings, and a little: who asked so much later is not concerned. */
const aftermathMs = 4500

/** When there was which fault. */
export class TroubleHistory {
  private readonly spans: { readonly trouble: Trouble; readonly fromMs: number; toMs: number }[] =
    []

  begin(trouble: Trouble): void {
    this.spans.push({ trouble, fromMs: performance.now(), toMs: Infinity })
    if (this.spans.length > 20) this.spans.shift()
  }

  end(): void {
    const last = this.spans.at(-1)
    if (last !== undefined) last.toMs = Math.min(last.toMs, performance.now())
  }

  /** @param ms since the epoch */
  wasTroubled(ms: number): boolean {
    const atMs = ms - performance.timeOrigin
    return this.spans.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs + aftermathMs)
  }

  /** What a request that was asked then may have suffered of until now. */
  since(fromMs: number): readonly Symptoms[] {
    return this.spans
      .filter(({ toMs }) => toMs + aftermathMs >= fromMs)
      .map(({ trouble }) => ({ trouble, ...symptomsOf(trouble) }))
  }
}

function symptomsOf(trouble: Trouble): Omit<Symptoms, 'trouble'> {
  const { statuses, ...others } = symptoms[trouble]
  return { statuses: isAnswer.has(trouble) ? statuses : [...statuses, 503], ...others }
}
