/** Plugin of `nest build`, whose compiler does not build project references: builds the libraries that the service needs at run time. */
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');

exports.before = ({ project }) => {
  const root = join(__dirname, '..');
  const { references } = require(join(root, 'apps', project, 'tsconfig.json'));
  const libraries = references.map(({ path }) => join(root, 'apps', project, path));
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-b', ...libraries], { stdio: 'inherit' });
  return () => (sourceFile) => sourceFile;
};
