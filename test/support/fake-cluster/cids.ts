/** CIDs as go-cid reads them, with its error texts; independent of the code under test. */
import { CID } from 'multiformats/cid'
import { bases } from 'multiformats/basics'

/** An error of the API: its status, and the message in the cluster's words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

const decoders = new Map<string, { decode(text: string): Uint8Array }>(
  Object.values(bases)
    .filter((base) => !['7', '9', 'h', '\0'].includes(base.prefix))
    .map((base) => [base.prefix, base.decoder]),
)
/** go-multibase ignores letter case in these. */
const caseless = 'bcvtkf'

/**
 * @returns the canonical spelling
 * @throws ApiError 400
 */
export function decodeCid(text: string): string {
  const fail = (reason: string) => new ApiError(400, `error decoding Cid: invalid cid: ${reason}`)
  if (text.length < 2) throw fail('cid too short')
  let bytes: Uint8Array
  if (text.length === 46 && text.startsWith('Qm')) {
    try {
      bytes = bases.base58btc.baseDecode(text)
    } catch {
      throw fail("input isn't valid multihash")
    }
  } else {
    const first = String.fromCodePoint(text.codePointAt(0) ?? 0)
    const isCaseless = caseless.includes(first.toLowerCase())
    const decoder = decoders.get(isCaseless ? first.toLowerCase() : first)
    if (decoder === undefined) throw fail('selected encoding not supported')
    try {
      bytes = decoder.decode(isCaseless ? text.toLowerCase() : text)
    } catch {
      throw fail('selected encoding not supported')
    }
  }
  try {
    return CID.decode(bytes).toString()
  } catch (error) {
    const isLong = error instanceof Error && error.message === 'Incorrect length'
    throw fail(
      isLong
        ? 'trailing bytes in data buffer passed to cid Cast'
        : 'invalid cid: length greater than remaining number of bytes in buffer',
    )
  }
}
