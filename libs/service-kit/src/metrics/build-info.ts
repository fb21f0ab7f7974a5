import { readFileSync } from 'node:fs';
import { readGauge } from './metric.js';

/** Version in a package.json. */
export function versionOf(packageFile: URL): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/** `<prefix>_build_info{version}`, always 1. */
export function buildInfo(prefix: string, version: string): void {
  readGauge(`${prefix}_build_info`, 'Version of the service', ['version'], (set) => set(1, { version }), 'first');
}
