/** Makes the mutants of a TypeScript source: each one is a small error that the tests of the file must notice. */
import ts from 'typescript';

const OPERATORS = new Map([
  ['<', ['<=', '>=']],
  ['<=', ['<', '>']],
  ['>', ['>=', '<=']],
  ['>=', ['>', '<']],
  ['===', ['!==']],
  ['!==', ['===']],
  ['+', ['-']],
  ['-', ['+']],
  ['*', ['/']],
  ['/', ['*']],
  ['&&', ['||']],
  ['||', ['&&']],
  ['??', ['&&']],
]);
const CALLS = new Map([
  ['min', 'max'],
  ['max', 'min'],
  ['some', 'every'],
  ['every', 'some'],
  ['floor', 'ceil'],
  ['ceil', 'floor'],
  ['findLast', 'find'],
  ['findLastIndex', 'findIndex'],
]);

/** @returns {{from: number, to: number, text: string, line: number, before: string}[]} `text` replaces `source.slice(from, to)` */
export function mutantsOf(source, name) {
  const tree = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const mutants = [];
  const add = (node, text) => {
    const [from, to] = [node.getStart(tree), node.getEnd()];
    const { line } = tree.getLineAndCharacterOfPosition(from);
    mutants.push({ from, to, text, line: line + 1, before: source.slice(from, to) });
  };
  const visit = (node) => {
    // Types have no behavior, and the text of an error is not worth a test of each word.
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isDecorator(node)) return;
    if (ts.isBinaryExpression(node))
      for (const other of OPERATORS.get(node.operatorToken.getText(tree)) ?? []) add(node.operatorToken, other);
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) add(node, node.operand.getText(tree));
    if (node.kind === ts.SyntaxKind.TrueKeyword) add(node, 'false');
    if (node.kind === ts.SyntaxKind.FalseKeyword) add(node, 'true');
    // Larger numbers are limits and durations: a test of their exact value would only repeat them.
    if (ts.isNumericLiteral(node) && node.text.length === 1 && !ts.isPropertyAssignment(node.parent)) add(node, `(${node.text} + 1)`);
    if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
      const condition = ts.isIfStatement(node) ? node.expression : node.condition;
      add(condition, 'true');
      add(condition, 'false');
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const other = CALLS.get(node.expression.name.text);
      if (other !== undefined) add(node.expression.name, other);
    }
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) add(node, ';');
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return mutants;
}
