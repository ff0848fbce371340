/** Reads JSON strictly, and says where it is broken or names a field twice. */
import { printParseErrorCode, visit, type JSONPath } from 'jsonc-parser'
import { ConfigError, pathText, type Problem } from '../problems.js'
import { withoutBom } from './text.js'

export interface Parsed {
  readonly value: unknown
  /** Fields given twice: JSON.parse would silently let the last one win. */
  readonly problems: readonly Problem[]
}

const depthMax = 64

/** The value of a JSON text; a syntax error is thrown alone, as all after it is guesswork. */
export function parseJson(text: string): Parsed {
  const json = withoutBom(text)
  const problems: Problem[] = []
  const fields: Set<string>[] = []
  const enter = (line: number) => {
    fields.push(new Set())
    if (fields.length > depthMax) throw syntaxError(line, 0, 'objects nested too deeply', 'less')
  }
  visit(
    json,
    {
      onObjectBegin: (_offset, _length, line) => {
        enter(line)
      },
      onObjectEnd: () => void fields.pop(),
      onArrayBegin: (_offset, _length, line) => {
        enter(line)
      },
      onArrayEnd: () => void fields.pop(),
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
    { disallowComments: true, allowTrailingComma: false },
  )
  return { value: JSON.parse(json) as unknown, problems }
}

function syntaxError(line: number, column: number, found: string, expected: string): ConfigError {
  return new ConfigError([{ path: `line ${line + 1}, column ${column + 1}`, found, expected }])
}

/** What is found and expected, by jsonc-parser's error; never the text itself: it may be secret. */
const syntax: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  InvalidSymbol: ['an unknown word', 'JSON: a string, number, object, list, true, false or null'],
  InvalidNumberFormat: ['a malformed number', 'a number as JSON has it'],
  PropertyNameExpected: ['no field name', 'a field name in double quotes, no comma after the last'],
  ValueExpected: ['no value', 'a value, no comma after the last'],
  ColonExpected: ['no colon', 'a colon after the field name'],
  CommaExpected: ['no comma', 'a comma between the fields or items'],
  CloseBraceExpected: ['the end', '"}"'],
  CloseBracketExpected: ['the end', '"]"'],
  EndOfFileExpected: ['more text', 'the end of the file'],
  InvalidCommentToken: ['a comment', 'JSON without comments'],
  UnexpectedEndOfComment: ['a comment', 'JSON without comments'],
  UnexpectedEndOfString: ['a string without end', 'a closing double quote in the same line'],
  UnexpectedEndOfNumber: ['a number without end', 'a number as JSON has it'],
  InvalidUnicode: ['a malformed \\u escape', '\\u and four hex digits'],
  InvalidEscapeCharacter: ['an unknown escape', 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u'],
  InvalidCharacter: ['a control character in a string', 'an escape such as \\n or \\u0000'],
}
