/** Says of each answer whether it is right, given what was wrong with the cluster just then. */
import type { Ledger } from './ledger.js'
import type { Question } from './questions.js'
import type { Symptoms, TroubleHistory } from './troubles.js'
import type { Answer } from './wire.js'

export interface Leniency {
  /** The client itself gave cause for it to end inside. */
  readonly mayBeCut?: boolean
  /** Of the connection. */
  readonly story?: string
}

export class Judge {
  constructor(
    private readonly ledger: Ledger,
    private readonly history: TroubleHistory,
  ) {}

  judge(
    question: Question,
    answer: Answer | undefined,
    askedMs: number,
    { mayBeCut = false, story = '' }: Leniency = {},
  ): void {
    const symptoms = question.isForwarded ? this.history.since(askedMs) : []
    const fault = this.faultOf(question, answer, symptoms, mayBeCut)
    if (fault === undefined) return
    const ms = Math.round(performance.now() - askedMs)
    const [line = ''] = question.text.split('\r\n')
    const troubles = symptoms.map(({ trouble }) => trouble).join(', ')
    this.ledger.wrong(
      `${question.name} (${line.slice(0, 80)}): ${fault} ${answer === undefined ? story : ''} ` +
        `(after ${ms} ms, trouble of the cluster: ${troubles === '' ? 'none' : troubles})`,
      answer?.headers.get('x-request-id'),
    )
  }

  private faultOf(
    { statuses, isStream, check }: Question,
    answer: Answer | undefined,
    symptoms: readonly Symptoms[],
    mayBeCut: boolean,
  ): string | undefined {
    const canBeCut = mayBeCut || symptoms.some(({ cut }) => cut === true)
    if (answer === undefined) {
      this.ledger.cutBeforeHead()
      // What the gate had begun to send can be lost with the connection.
      return canBeCut ? undefined : 'no answer'
    }
    const idFault = this.ledger.answered(answer)
    if (idFault !== undefined) return idFault
    const { status, isWhole, body, trailers } = answer
    const right = [
      ...statuses,
      ...symptoms.flatMap((symptom) => symptom.statuses),
      ...symptoms.flatMap(({ ofStreams = [] }) => (isStream === true ? ofStreams : [])),
    ]
    if (!right.includes(status)) {
      return `${status}, not ${right.join(' or ')}: ${body.toString('latin1', 0, 120).trim()}`
    }
    if (!isWhole) return canBeCut ? undefined : `${status}, cut after ${body.length} bytes`
    const streamError = trailers.get('x-stream-error') ?? ''
    if (streamError !== '' && !symptoms.some(({ trailer }) => trailer === true)) {
      return `X-Stream-Error: ${streamError}`
    }
    return wrongBody(status, answer, check)
  }
}

function wrongBody(status: number, answer: Answer, check: Question['check']): string | undefined {
  try {
    if (status === 200) return check?.(answer)
    if (status === 204) return answer.body.length === 0 ? undefined : '204 with a body'
    const { code } = JSON.parse(answer.body.toString()) as { code?: unknown }
    return code === status ? undefined : `${status} with the code ${String(code)}`
  } catch (error) {
    return `${status} with a body that is none: ${String(error)}`
  }
}
