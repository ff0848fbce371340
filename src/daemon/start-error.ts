/** The daemon cannot start: what is wrong, and what to do about it. */
export class StartError extends Error {
  override readonly name = 'StartError'

  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}
