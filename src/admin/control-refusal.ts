/** What the control socket refuses: a mistake in what was asked, or what cannot be done now. */
export class ControlRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}
