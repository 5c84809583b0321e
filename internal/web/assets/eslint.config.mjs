// Few rules, each for a kind of fault that has no other guard: names, comparisons, dead code, and text that would become HTML or code.
import globals from 'globals';

const asHTML = 'A text becomes HTML here. Use textContent, or elements that the server rendered.';

export default [
  { ignores: ['dist/', 'node_modules/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'array-callback-return': 'error',
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-cond-assign': ['error', 'always'],
      'no-console': 'error',
      'no-constant-condition': 'error',
      'no-dupe-keys': 'error',
      'no-eval': 'error',
      'no-fallthrough': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-promise-executor-return': 'error',
      'no-redeclare': 'error',
      'no-restricted-syntax': ['error',
        { selector: 'AssignmentExpression[right.type!="Literal"] > MemberExpression.left[property.name=/^(innerHTML|outerHTML|srcdoc)$/]', message: asHTML },
        { selector: 'CallExpression > MemberExpression.callee[property.name=/^(insertAdjacentHTML|write|writeln|setHTMLUnsafe)$/]', message: asHTML }],
      'no-shadow': 'error',
      'no-undef': 'error',
      'no-unreachable': 'error',
      'no-unused-expressions': ['error', { allowShortCircuit: true, allowTernary: true }],
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-useless-assignment': 'error',
      'no-var': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      'use-isnan': 'error',
      'valid-typeof': 'error',
    },
  },
  { files: ['src/**'], languageOptions: { globals: globals.browser } },
  { files: ['*.mjs', 'test/**'], languageOptions: { globals: globals.node } },
];
