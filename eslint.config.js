import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist/', 'data/', '.tap/', 'src/database/types.ts'] }),
  {
    rules: {
      camelcase: 'off', // one spelling per name: columns, JSON fields and properties are the same snake_case word
      '@stylistic/max-len': ['error', { code: 160, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }],
    },
  },
]
