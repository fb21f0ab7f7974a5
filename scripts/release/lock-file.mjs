/** Checks the lock file for a release: licenses, integrity of packages, processors. Pure functions. */

/** SPDX names of licenses that allow us to ship a package under MIT. */
const SHIPPED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
  'WTFPL',
  'Zlib',
]);
/** Additional licenses for packages that only build and test, because they are not shipped. */
const TOOLS = new Set([...SHIPPED, 'CC-BY-3.0', 'CC-BY-4.0', 'MPL-2.0']);

/**
 * Whether one choice of an SPDX license expression is allowed.
 * @param {string} expression such as `MIT` or `(BSD-2-Clause OR MIT)`
 * @param {ReadonlySet<string>} allowed
 */
export function isAllowed(expression, allowed) {
  const text = expression.trim().replace(/^\((.*)\)$/, '$1');
  if (/[()]/.test(text)) return false; // nested: a person must decide
  return text.split(/\s+OR\s+/).some((choice) => choice.split(/\s+AND\s+/).every((license) => allowed.has(license)));
}

/**
 * All packages of the lock file except our own.
 * @param {{packages: Record<string, {version: string, license?: string, dev?: boolean, optional?: boolean, link?: boolean, resolved?: string, integrity?: string, cpu?: string[]}>}} lock
 */
export function packagesOf(lock) {
  return Object.entries(lock.packages)
    .filter(([path, { link }]) => path.includes('node_modules/') && !link)
    .map(([path, entry]) => ({ path, name: path.slice(path.lastIndexOf('node_modules/') + 13), ...entry }));
}

/**
 * One sentence for each package whose license is not allowed.
 * @param {ReturnType<typeof packagesOf>} packages
 * @param {(path: string) => string | undefined} licenseIn license in the package itself, used if the lock file has none
 */
export function licenseProblems(packages, licenseIn) {
  return packages.flatMap(({ path, name, version, license, dev }) => {
    const found = license ?? licenseIn(path);
    if (found === undefined) return [`${name} ${version} names no license`];
    return isAllowed(found, dev ? TOOLS : SHIPPED) ? [] : [`${name} ${version}${dev ? ' (a tool)' : ''} is under ${found}`];
  });
}

/** Packages without an integrity hash, or from an unencrypted source. */
export function integrityProblems(packages) {
  return packages.flatMap(({ name, version, integrity, resolved }) => {
    if (!integrity) return [`${name} ${version} has no integrity`];
    return resolved === undefined || resolved.startsWith('https://') ? [] : [`${name} ${version} comes from ${resolved}`];
  });
}

/** Required packages that do not run on that processor. */
export function processorProblems(packages, processor) {
  return packages.flatMap(({ name, version, cpu, dev, optional }) =>
    dev || optional || cpu === undefined || cpu.includes(processor) ? [] : [`${name} ${version} is for ${cpu.join(', ')} only`],
  );
}

/** Number of shipped packages for each license, most frequent first. */
export function licenseCounts(packages, licenseIn) {
  const counts = new Map();
  for (const { path, license, dev } of packages) {
    if (dev) continue;
    const found = license ?? licenseIn(path) ?? 'none';
    counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([license, count]) => `${license} ${count}`);
}
