/** A change that waited too long for the lock of its CID: no fault of the cluster's. */

export class LockTimeout extends Error {
  override readonly name = 'LockTimeout'
  readonly reason = 'lock-timeout'

  constructor() {
    super('another change of this pin did not end in time')
  }
}
