/** What the control socket refuses: the mistake of whoever asks, or what cannot be done now. */
export class ControlRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}
