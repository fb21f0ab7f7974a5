/** Settings that a container adds, for the service and for `doctor` in the same container. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { readEnvironment, SettingsError } from '@acexy/service-kit';

export const DATA_FOLDER = '/data';
/** The key that both services share, if no other key is set. */
export const KEY_FILE = '/keys/api-key';
/** The folder of the compose file. */
export const CONFIG_FOLDER = '/config';
const LOCAL_SOCKET = '/var/run/docker.sock';
/** User id of the user node in the image. */
const NODE_USER = 1000;
/** EX_CONFIG of sysexits.h; the services exit with it when a setting is wrong. */
const EXIT_CONFIG = 78;

/** The service starts as root only to find the group of the host's Docker socket. It keeps that group and drops all other rights. */
export function becomeNode() {
  const socket = (process.env.DOCKER_HOST || `unix://${LOCAL_SOCKET}`).replace(/^unix:\/\//, '');
  process.setgroups(existsSync(socket) ? [statSync(socket).gid] : []);
  process.setgid(NODE_USER);
  process.setuid(NODE_USER);
}

/** Reads .env of /config with a lower priority than the environment. The process exits if the file cannot be read. */
export function readConfiguration() {
  try {
    // A folder without read permission looks like a folder without .env: all settings in it would be ignored silently.
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

/** Gives the proxy the key of the orchestrator. */
export function useKey(env) {
  if (env.ACEXY_ORCH_APIKEY || env.ACEXY_ORCH_APIKEY_FILE) return;
  if (env.API_KEY) env.ACEXY_ORCH_APIKEY = env.API_KEY;
  else if (env.API_KEY_FILE) env.ACEXY_ORCH_APIKEY_FILE = env.API_KEY_FILE;
  else if (existsSync(KEY_FILE)) env.ACEXY_ORCH_APIKEY_FILE = KEY_FILE;
}
