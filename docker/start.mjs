/**
 * Starts a service in its container: `start.mjs orchestrator|proxy|docker-filter`. Adds the settings of the container: the .env file of /config (read at every start),
 * /data as the working folder, and one key for both services in /keys, which the orchestrator creates if no other key is set.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { becomeNode, DATA_FOLDER, KEY_FILE, readConfiguration, useKey } from './container-settings.mjs';

/** Entry points of the services, below apps/. */
const ENTRY_POINTS = new Map([
  ['orchestrator', 'orchestrator/dist/main.js'],
  ['proxy', 'proxy/dist/main.js'],
  ['docker-filter', 'orchestrator/dist/docker-filter/main.js'],
]);

const service = process.argv[2];
if (process.getuid() === 0) becomeNode();
Object.assign(process.env, readConfiguration());
// The file is already read. The service would look for it again in another folder.
delete process.env.ENV_FILE;
if (service === 'orchestrator') ensureKey(process.env);
if (service === 'proxy') useKey(process.env);
process.chdir(DATA_FOLDER);
await import(new URL(`../apps/${ENTRY_POINTS.get(service)}`, import.meta.url).href);

function ensureKey(env) {
  if (env.API_KEY || env.API_KEY_FILE || env.AUTH === 'open') return;
  if (!existsSync(KEY_FILE)) {
    // Written atomically, because the proxy may read it at any moment.
    writeFileSync(`${KEY_FILE}.new`, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    renameSync(`${KEY_FILE}.new`, KEY_FILE);
  }
  env.API_KEY_FILE = KEY_FILE;
}
