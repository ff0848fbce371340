/**
 * Reads JSON with comments and trailing commas, otherwise strictly; finds syntax errors and
 * repeated fields.
 */
import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  parseTree,
  printParseErrorCode,
  visit,
} from 'jsonc-parser'
import { ConfigError, pathText, type Problem, segmentsIn } from '../problems.js'
import { withoutBom } from './text.js'

export interface Parsed {
  readonly value: unknown
  /** Fields given twice: JSON.parse would silently let the last one win. */
  readonly problems: readonly Problem[]
}

const depthMax = 64

/** The value of the text. @throws the first syntax error alone, as later ones are guesses */
export function parseJson(text: string): Parsed {
  const json = withoutBom(text)
  const problems: Problem[] = []
  const fields: Set<string>[] = []
  const extras = new Extras()
  const enter = (line: number) => {
    fields.push(new Set())
    if (fields.length > depthMax) throw syntaxError(line, 0, 'objects nested too deeply', 'less')
  }
  visit(
    json,
    {
      onComment: (offset, length) => {
        extras.comment(offset, length)
      },
      onSeparator: (character, offset) => {
        if (character === ',') extras.comma(offset)
      },
      onLiteralValue: () => {
        extras.more()
      },
      onObjectBegin: (_offset, _length, line) => {
        extras.more()
        enter(line)
      },
      onObjectEnd: () => {
        extras.end()
        fields.pop()
      },
      onArrayBegin: (_offset, _length, line) => {
        extras.more()
        enter(line)
      },
      onArrayEnd: () => {
        extras.end()
        fields.pop()
      },
      onObjectProperty: (field, _offset, _length, line, _column, parent: () => JSONPath) => {
        extras.more()
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
  return { value: JSON.parse(extras.without(json)) as unknown, problems }
}

/** Adds to each problem the line of its field, or of the object that lacks the field. */
export function withLines(text: string, problems: readonly Problem[]): readonly Problem[] {
  const json = withoutBom(text)
  const root = parseTree(json, [], { allowTrailingComma: true })
  return problems.map((problem) => {
    const segments = segmentsIn(problem.path)
    if (root === undefined || segments.length === 0 || /^(?:line |[A-Z_]+ \()/.test(problem.path))
      return problem
    const { offset } = nearestTo(root, segments)
    return { ...problem, line: json.slice(0, offset).split('\n').length }
  })
}

function nearestTo(root: Node, segments: JSONPath): Node {
  const found = findNodeAtLocation(root, segments)
  if (found !== undefined) return found.parent?.type === 'property' ? found.parent : found
  return segments.length === 0 ? root : nearestTo(root, segments.slice(0, -1))
}

/** Blanks what JSON itself lacks; JSON.parse, which sets no prototypes, reads the rest. */
class Extras {
  private readonly spans: { readonly offset: number; readonly length: number }[] = []
  private lastComma: number | undefined

  comment(offset: number, length: number): void {
    this.spans.push({ offset, length })
  }

  comma(offset: number): void {
    this.lastComma = offset
  }

  /** Called when a value follows a comma. */
  more(): void {
    this.lastComma = undefined
  }

  /** Called at the end of an object or a list, before which a comma is superfluous. */
  end(): void {
    if (this.lastComma !== undefined) this.spans.push({ offset: this.lastComma, length: 1 })
    this.lastComma = undefined
  }

  without(text: string): string {
    if (this.spans.length === 0) return text
    let [json, at] = ['', 0]
    // Comments may stand between a trailing comma and the bracket.
    for (const { offset, length } of this.spans.sort((one, other) => one.offset - other.offset)) {
      json += text.slice(at, offset)
      at = offset + length
    }
    return json + text.slice(at)
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
