/**
 * Reads JSON with comments and trailing commas, otherwise strictly; finds syntax errors and
 * repeated fields.
 */
import {
  createScanner,
  type JSONPath,
  type Node,
  parse,
  parseTree,
  printParseErrorCode,
  visit,
} from 'jsonc-parser'
import { long, type SlicedWork } from '../../time/slices.js'
import { ConfigError, pathText, type Problem, type Segment, segmentsIn } from '../problems.js'
import { withoutBom } from './text.js'

export interface Parsed {
  readonly value: unknown
  /** Fields given twice: JSON.parse would silently let the last one win. */
  readonly problems: readonly Problem[]
}

const depthMax = 64

/** The value of the text. @throws the first syntax error alone, as later ones are guesses */
export function* parseJson(text: string): SlicedWork<Parsed> {
  const json = withoutBom(text)
  const scanned = yield* scan(json)
  const value = scanned && parsed(scanned.plain)
  yield
  if (value !== undefined && fieldsIn(value) === scanned?.fields) return { value, problems: [] }
  yield long
  const problems = faultsIn(json)
  return { value: value ?? (JSON.parse(json) as unknown), problems }
}

/** The readable part of a text, whatever its faults; undefined: nothing is readable. */
export function legibleJson(text: string): unknown {
  try {
    const value = parse(withoutBom(text), [], { allowTrailingComma: true }) as unknown
    // A field __proto__ sets a prototype there, and a field here.
    return JSON.parse(JSON.stringify(value)) as unknown
  } catch {
    // It is nested too deeply.
    return undefined
  }
}

function parsed(plain: string): unknown {
  try {
    return JSON.parse(plain) as unknown
  } catch {
    return undefined
  }
}

/** Fewer than the text has: some are given twice. */
const fieldsIn = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value)
  return inner.reduce<number>(
    (sum, each) => sum + fieldsIn(each),
    Array.isArray(value) ? 0 : inner.length,
  )
}

/** Token kinds of jsonc-parser, whose enum does not exist at run time. */
const [openBrace, closeBrace, openBracket, closeBracket, comma, colon] = [1, 2, 3, 4, 5, 6]
const [lineComment, blockComment, blank, end] = [12, 13, 15, 17]
/** About 2 ms of work. */
const tokensAtOnce = 4000

/**
 * Blanks what JSON itself lacks: comments and trailing commas. JSON.parse, which sets no
 * prototypes, reads the rest.
 * @returns undefined for a text that has faults
 */
function* scan(json: string): SlicedWork<{ plain: string; fields: number } | undefined> {
  const scanner = createScanner(json)
  let [fields, depth, before, lastComma] = [0, 0, openBrace, 0]
  const extras: [offset: number, length: number][] = []
  for (let count = 1; ; count++) {
    const token: number = scanner.scan()
    if (token === end) break
    if (count % tokensAtOnce === 0) yield
    const fault: number = scanner.getTokenError()
    if (fault !== 0) return undefined
    const at = scanner.getTokenOffset()
    if (token === lineComment || token === blockComment) extras.push([at, scanner.getTokenLength()])
    if (token >= lineComment && token <= blank) continue
    const isEnd = token === closeBrace || token === closeBracket
    if (token === comma) {
      if ([openBrace, openBracket, colon, comma].includes(before)) return undefined
      lastComma = at
    } else if (token === colon) fields++
    else if (token === openBrace || token === openBracket) depth++
    else if (isEnd) {
      depth--
      if (before === comma) extras.push([lastComma, 1])
    }
    if (depth > depthMax)
      throw syntaxError(scanner.getTokenStartLine(), 0, 'objects nested too deeply', 'less')
    before = token
  }
  // Comments may stand between a trailing comma and the bracket.
  let [plain, from] = ['', 0]
  for (const [offset, length] of extras.sort(([one], [other]) => one - other)) {
    plain += json.slice(from, offset)
    from = offset + length
  }
  return { plain: plain + json.slice(from), fields }
}

/** Fields that are given twice; JSON.parse would silently let the last one win. */
function faultsIn(json: string): readonly Problem[] {
  const problems: Problem[] = []
  const fields: Set<string>[] = []
  visit(
    json,
    {
      onObjectBegin: () => {
        fields.push(new Set())
      },
      onObjectEnd: () => {
        fields.pop()
      },
      onObjectProperty: (field, _offset, _length, line, _column, parent: () => JSONPath) => {
        const seen = fields.at(-1)
        if (seen?.has(field) === true)
          problems.push({
            path: pathText([...parent(), field]),
            found: `a second time in line ${line + 1}`,
            expected: 'each field once',
          })
        seen?.add(field)
      },
      onError: (code, _offset, _length, line, column) => {
        const word = printParseErrorCode(code)
        const [found, expected] = syntax[word] ?? [word, 'JSON']
        throw syntaxError(line, column, found, expected)
      },
    },
    { disallowComments: false, allowTrailingComma: true },
  )
  return problems
}

/** Adds to each problem the line of its field, or of the object that lacks the field. */
export function withLines(text: string, problems: readonly Problem[]): readonly Problem[] {
  const json = withoutBom(text)
  const root = treeOf(json)
  const lineAt = lineFinder(json)
  const fields = new Map<Node, ReadonlyMap<Segment, Node>>()
  return problems.map((problem) => {
    const segments = segmentsIn(problem.path)
    if (root === undefined || segments.length === 0 || /^(?:line |[A-Z_]+ \()/.test(problem.path))
      return problem
    return { ...problem, line: lineAt(nearestTo(root, segments, fields).offset) }
  })
}

/** @param fields of the objects on the way, as one may have thousands, each with a problem */
/** Undefined also for a text that is nested too deeply. */
function treeOf(json: string): Node | undefined {
  try {
    return parseTree(json, [], { allowTrailingComma: true })
  } catch {
    return undefined
  }
}

function nearestTo(
  root: Node,
  segments: readonly Segment[],
  fields: Map<Node, ReadonlyMap<Segment, Node>>,
): Node {
  let at = root
  for (const segment of segments) {
    const inner = fields.get(at) ?? fieldsOf(at)
    fields.set(at, inner)
    const next = inner.get(segment)
    if (next === undefined) break
    at = next
  }
  return at.parent?.type === 'property' ? at.parent : at
}

function fieldsOf({ type, children = [] }: Node): ReadonlyMap<Segment, Node> {
  if (type === 'array') return new Map(children.entries())
  return new Map(
    children.flatMap(({ children: [name, value] = [] }) =>
      name === undefined || value === undefined ? [] : [[name.value as string, value] as const],
    ),
  )
}

/** The line of an offset, from 1. */
function lineFinder(text: string): (offset: number) => number {
  const ends: number[] = []
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) ends.push(at)
  return (offset) => {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ends[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low + 1
  }
}

function syntaxError(line: number, column: number, found: string, expected: string): ConfigError {
  return new ConfigError([{ path: `line ${line + 1}, column ${column + 1}`, found, expected }])
}

/** Found and expected, by jsonc-parser's error; never the text itself, as it may be secret. */
const syntax: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  InvalidSymbol: ['an unknown word', 'JSON: a string, number, object, list, true, false or null'],
  InvalidNumberFormat: ['a malformed number', 'a number as JSON has it'],
  PropertyNameExpected: ['no field name', 'a field name in double quotes'],
  ValueExpected: ['no value', 'a value, such as {} or a string'],
  ColonExpected: ['no colon', 'a colon after the field name'],
  CommaExpected: ['no comma', 'a comma between the fields or items'],
  CloseBraceExpected: ['no closing brace', '"}"'],
  CloseBracketExpected: ['no closing bracket', '"]"'],
  EndOfFileExpected: ['more text', 'one object, and then the end'],
  UnexpectedEndOfComment: ['a comment without end', '*/ at its end'],
  UnexpectedEndOfString: ['a string without end', 'a closing double quote in the same line'],
  UnexpectedEndOfNumber: ['a number without end', 'a number as JSON has it'],
  InvalidUnicode: ['a malformed \\u escape', '\\u and four hex digits'],
  InvalidEscapeCharacter: ['an unknown escape', 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u'],
  InvalidCharacter: ['a control character in a string', 'an escape such as \\n or \\u0000'],
}
