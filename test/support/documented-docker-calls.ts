import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './service-process.js';

/** A call of Docker's API: its method, and its path without version and query; `{…}` stands for what differs. */
export interface DockerCall {
  /** As it is written down, such as `POST /containers/{id}/start`. */
  name: string;
  matches(method: string, path: string): boolean;
}

/** The calls that docs/security.md says the orchestrator needs, of those that are made `always` or only `behind a VPN`: rows of its table. */
export function documentedDockerCalls(when: 'always' | 'behind a VPN'): DockerCall[] {
  const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(GET|POST|PUT|DELETE|HEAD)` +\| `(\/[^`]*)` +\| ([^|]*?) +\|/gm)];
  return rows.filter(([, , , needed]) => needed === when).map(([, method, pattern]) => dockerCall(method, pattern));
}

function dockerCall(method: string, pattern: string): DockerCall {
  const source = pattern.replace(/\{[^}]*\}/g, (name) => (name === '{image}' ? '.+' : '[^/]+'));
  const path = new RegExp(`^${source}$`);
  return { name: `${method} ${pattern}`, matches: (givenMethod, givenPath) => givenMethod === method && path.test(givenPath) };
}
