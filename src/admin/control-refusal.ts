/** A refusal of the control socket: the request is wrong, or cannot be done now. */
export class ControlRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}
