/** The messages that the sources log, with their levels, by reading each call. */
import ts from 'typescript'

export interface LoggedMessage {
  readonly level: string
  readonly message: string
}

const levels = ['info', 'warn', 'error', 'fatal']

/** @throws when a message is not a text that stands in the file */
export function messagesIn(path: string, text: string): LoggedMessage[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: LoggedMessage[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) found.push(...messagesOf(node, file))
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function messagesOf(call: ts.CallExpression, file: ts.SourceFile): LoggedMessage[] {
  const { 0: first, length } = call.arguments
  const last = call.arguments[length - 1]
  const logging = /(?:^|\.)log(?:ger)?(?:\.(?<method>\w+))?$/.exec(call.expression.getText(file))
  if (first === undefined || last === undefined || logging === null) return []
  const level = logging.groups?.method ?? (ts.isStringLiteral(first) ? first.text : undefined)
  // Without a level it hands on what others say, and so does a `message`.
  if (level === undefined || !levels.includes(level) || last.getText(file) === 'message') return []
  return textsOf(last, file).map((message) => ({ level, message }))
}

/** What an expression may be: a text, one of two, or one of a table's. */
function textsOf(node: ts.Node, file: ts.SourceFile): string[] {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text]
  if (ts.isConditionalExpression(node))
    return [node.whenTrue, node.whenFalse].flatMap((side) => textsOf(side, file))
  if (ts.isElementAccessExpression(node)) return textsOf(node.expression, file)
  if (ts.isObjectLiteralExpression(node))
    return node.properties.flatMap((property) =>
      ts.isPropertyAssignment(property) ? textsOf(property.initializer, file) : [],
    )
  const declared = ts.isIdentifier(node) ? constantOf(node.text, file) : undefined
  if (declared !== undefined) return textsOf(declared, file)
  throw new Error(`${file.fileName}: the message ${node.getText(file)} is not the same each time`)
}

function constantOf(name: string, file: ts.SourceFile): ts.Expression | undefined {
  return file.statements
    .filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .find((declaration) => declaration.name.getText(file) === name)?.initializer
}
