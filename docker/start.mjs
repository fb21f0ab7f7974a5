/**
 * Starts a service in its container: `start.mjs orchestrator|proxy`. Adds what the container has to the settings: the .env file of /config (read
 * anew at every start), /data to work in, and one key for both services in /keys, made by the orchestrator where no other is set.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { readEnvironment, SettingsError } from '@acexy/service-kit';

const CONFIG_FOLDER = '/config';
const DATA_FOLDER = '/data';
const KEY_FILE = '/keys/api-key';
const LOCAL_SOCKET = '/var/run/docker.sock';
/** The user node of the image. */
const NODE_USER = 1000;
/** EX_CONFIG of sysexits.h, as the services themselves end where a setting is wrong. */
const EXIT_CONFIG = 78;

const service = process.argv[2];
if (process.getuid() === 0) becomeNode();
Object.assign(process.env, readConfiguration());
// It has been read; the services, in another folder, would look for it again.
delete process.env.ENV_FILE;
if (service === 'orchestrator') haveKey(process.env);
else useKey(process.env);
process.chdir(DATA_FOLDER);
await import(new URL(`../apps/${service}/dist/main.js`, import.meta.url).href);

/** Started as root only to find out which group may use the host's Docker socket: keeps that group, and nothing else of root. */
function becomeNode() {
  const socket = (process.env.DOCKER_HOST || `unix://${LOCAL_SOCKET}`).replace(/^unix:\/\//, '');
  process.setgroups(existsSync(socket) ? [statSync(socket).gid] : []);
  process.setgid(NODE_USER);
  process.setuid(NODE_USER);
}

function readConfiguration() {
  try {
    // A folder that may not be entered would look like one without an .env file, and every setting in it would be lost without a word.
    accessSync(CONFIG_FOLDER, constants.X_OK);
    return readEnvironment(CONFIG_FOLDER);
  } catch (error) {
    if (error instanceof SettingsError) console.error(error.message);
    else
      console.error(
        `${error.message}: this service runs as user ${process.getuid()}, so make the folder of the compose file and its .env readable (chmod o+rx FOLDER; chmod o+r FOLDER/.env)`,
      );
    return process.exit(EXIT_CONFIG);
  }
}

function haveKey(env) {
  if (env.API_KEY || env.API_KEY_FILE || env.AUTH === 'open') return;
  if (!existsSync(KEY_FILE)) {
    // Whole or not at all: the proxy may look at any moment.
    writeFileSync(`${KEY_FILE}.new`, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    renameSync(`${KEY_FILE}.new`, KEY_FILE);
  }
  env.API_KEY_FILE = KEY_FILE;
}

function useKey(env) {
  if (env.ACEXY_ORCH_APIKEY || env.ACEXY_ORCH_APIKEY_FILE) return;
  if (env.API_KEY) env.ACEXY_ORCH_APIKEY = env.API_KEY;
  else if (env.API_KEY_FILE) env.ACEXY_ORCH_APIKEY_FILE = env.API_KEY_FILE;
  else if (existsSync(KEY_FILE)) env.ACEXY_ORCH_APIKEY_FILE = KEY_FILE;
}
