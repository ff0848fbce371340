/** Puts another method into a class of src for the time of a mutation. */

interface Class {
  readonly prototype: object
}

// Mutations replace private methods too, whose types have no name outside their class.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Method = (this: any, ...given: any[]) => any

/** @returns puts the own one back */
export function replaceMethod(
  of: Class,
  name: string,
  make: (original: Method) => Method,
): () => void {
  const prototype = of.prototype as Record<string, Method | undefined>
  const original = prototype[name]
  if (original === undefined) throw new Error(`there is no method ${name} to break`)
  prototype[name] = make(original)
  return () => {
    prototype[name] = original
  }
}
