/** What the container of a service adds to its settings; for the service itself and for `doctor` beside it. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { readEnvironment, SettingsError } from '@acexy/service-kit';

export const DATA_FOLDER = '/data';
/** One key for both services, where no other is set. */
export const KEY_FILE = '/keys/api-key';
const CONFIG_FOLDER = '/config';
const LOCAL_SOCKET = '/var/run/docker.sock';
/** The user node of the image. */
const NODE_USER = 1000;
/** EX_CONFIG of sysexits.h, as the services themselves end where a setting is wrong. */
const EXIT_CONFIG = 78;

/** Started as root only to find out which group may use the host's Docker socket: keeps that group, and nothing else of root. */
export function becomeNode() {
  const socket = (process.env.DOCKER_HOST || `unix://${LOCAL_SOCKET}`).replace(/^unix:\/\//, '');
  process.setgroups(existsSync(socket) ? [statSync(socket).gid] : []);
  process.setgid(NODE_USER);
  process.setuid(NODE_USER);
}

/** The .env file of /config under the environment; the process ends where it cannot be read. */
export function readConfiguration() {
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

/** The key of the orchestrator for the proxy. */
export function useKey(env) {
  if (env.ACEXY_ORCH_APIKEY || env.ACEXY_ORCH_APIKEY_FILE) return;
  if (env.API_KEY) env.ACEXY_ORCH_APIKEY = env.API_KEY;
  else if (env.API_KEY_FILE) env.ACEXY_ORCH_APIKEY_FILE = env.API_KEY_FILE;
  else if (existsSync(KEY_FILE)) env.ACEXY_ORCH_APIKEY_FILE = KEY_FILE;
}
