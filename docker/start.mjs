/**
 * Starts a service in its container: `start.mjs orchestrator|proxy`. Adds what the container has to the settings: the .env file of /config (read
 * anew at every start), /data to work in, and one key for both services in /keys, made by the orchestrator where no other is set.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { becomeNode, DATA_FOLDER, KEY_FILE, readConfiguration, useKey } from './container-settings.mjs';

const service = process.argv[2];
if (process.getuid() === 0) becomeNode();
Object.assign(process.env, readConfiguration());
// It has been read; the services, in another folder, would look for it again.
delete process.env.ENV_FILE;
if (service === 'orchestrator') haveKey(process.env);
else useKey(process.env);
process.chdir(DATA_FOLDER);
await import(new URL(`../apps/${service}/dist/main.js`, import.meta.url).href);

function haveKey(env) {
  if (env.API_KEY || env.API_KEY_FILE || env.AUTH === 'open') return;
  if (!existsSync(KEY_FILE)) {
    // Whole or not at all: the proxy may look at any moment.
    writeFileSync(`${KEY_FILE}.new`, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    renameSync(`${KEY_FILE}.new`, KEY_FILE);
  }
  env.API_KEY_FILE = KEY_FILE;
}
