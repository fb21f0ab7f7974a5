import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './service-process.js';

/** A call of the Docker API: method and path without version and query; `{…}` is a variable part. */
export interface DockerCall {
  /** As documented, for example `POST /containers/{id}/start`. */
  name: string;
  matches(method: string, path: string): boolean;
}

/** The Docker calls in the table of docs/security.md: those that the orchestrator makes `always`, only `behind a VPN`, or only its `doctor`. */
export function documentedDockerCalls(when: 'always' | 'behind a VPN' | 'doctor'): DockerCall[] {
  const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(GET|POST|PUT|DELETE|HEAD)` +\| `(\/[^`]*)` +\| ([^|]*?) +\|/gm)];
  return rows.filter(([, , , needed]) => needed === when).map(([, method, pattern]) => dockerCall(method, pattern));
}

function dockerCall(method: string, pattern: string): DockerCall {
  const source = pattern.replace(/\{[^}]*\}/g, (name) => (name === '{image}' ? '.+' : '[^/]+'));
  const path = new RegExp(`^${source}$`);
  return { name: `${method} ${pattern}`, matches: (givenMethod, givenPath) => givenMethod === method && path.test(givenPath) };
}
