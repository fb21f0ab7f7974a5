/** Reads the command line, over CONF, over the variables of engine images; SIM_* variables are for the simulation itself. */
import { hostname } from 'node:os';
import { type SimulatorSettings, settingsFromEnvironment, unknownVariables } from '../faults/simulator-settings.js';
import { InputError } from '../input-error.js';
import { parseArguments, splitWords } from './command-line.js';

export interface EngineOptions {
  httpPort: number;
  httpsPort: number;
  apiPort: number;
  p2pPort: number;
  /** 0.0.0.0 with --bind-all, else 127.0.0.1. */
  host: string;
  accessToken: string | null;
  /** Folder for the cache and engine_runtime.json; null: none. */
  stateDir: string | null;
  cacheDir: string | null;
  /** Port of the control API on 127.0.0.1; 0: none. */
  controlPort: number;
  catalogFile: string | null;
  /** Name in markers of the engine form. */
  engineId: string;
  /** Every option with its value, for the log. */
  given: Map<string, string | true>;
}

/** SIM_* variables that are no setting. */
const OWN_NAMES = ['SIM_CONTROL_PORT', 'SIM_CATALOG', 'SIM_ENGINE_ID', 'SIM_STATE_DIR'];

const isYes = (value: string | true | undefined): boolean => value === true || /^(1|true|yes|on)$/i.test(value ?? '');

/** A port, or `+n`: n above the HTTP port, for many engines that share one environment. */
function controlPortOf(text: string | undefined, httpPort: number): number {
  const offset = /^\+(\d+)$/.exec(text ?? '')?.[1];
  return portOf('SIM_CONTROL_PORT', offset === undefined ? text : String(httpPort + Number(offset)), 0);
}

function portOf(name: string, value: string | true | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const port = Number(value);
  if (value === true || value === '' || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InputError(`${name} is "${value}": it must be a port from 0 to 65535`);
  return port;
}

/** Variables of engine images, with the option that each sets. */
const IMAGE_VARIABLES = {
  HTTP_PORT: 'http-port',
  HTTPS_PORT: 'https-port',
  P2P_PORT: 'port',
  CACHE_LIMIT: 'cache-limit',
  INTERNAL_BUFFERING: 'use-internal-buffering',
};

function imageArguments(environment: NodeJS.ProcessEnv): string[] {
  const args = Object.entries(IMAGE_VARIABLES).flatMap(([name, option]) => (environment[name] ? [`--${option}=${environment[name]}`] : []));
  const bindAll = isYes(environment.BIND_ALL) || isYes(environment.ALLOW_REMOTE_ACCESS);
  return bindAll ? [...args, '--bind-all'] : args;
}

/**
 * Reads arguments and environment. CONF has one option per line. With `unknownOptionFails` an unknown option is an error, also in CONF.
 * @throws InputError
 */
export function readOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  readFile: (path: string) => string,
): { options: EngineOptions; settings: SimulatorSettings; ignored: string[] } {
  const settings = settingsFromEnvironment(environment);
  const sources = [
    imageArguments(environment),
    splitWords(environment.ACESTREAM_ARGS ?? ''),
    splitWords(environment.EXTRA_FLAGS ?? ''),
    (environment.CONF ?? '').split(/\r?\n|\\n/).flatMap(splitWords),
    args,
  ].map((words) => parseArguments(words, readFile));
  const unrecognized = sources.flatMap((source) => source.unrecognized);
  if (unrecognized.length > 0 && settings.unknownOptionFails) throw new InputError(`unrecognized option: ${unrecognized[0]}`);
  const ignored = [...unrecognized, ...unknownVariables(environment, OWN_NAMES)];
  const given = new Map(sources.flatMap((source) => [...source.options]));
  const text = (name: string): string | null => {
    const value = given.get(name);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const httpPort = portOf('http-port', given.get('http-port'), 6878);
  const options: EngineOptions = {
    httpPort,
    httpsPort: portOf('https-port', given.get('https-port'), 6879),
    apiPort: portOf('api-port', given.get('api-port'), 62_062),
    p2pPort: portOf('port', given.get('port'), 8621),
    host: isYes(given.get('bind-all')) ? '0.0.0.0' : '127.0.0.1',
    accessToken: text('access-token') ?? text('service-access-token'),
    stateDir: text('state-dir') ?? environment.SIM_STATE_DIR ?? null,
    cacheDir: text('cache-dir'),
    controlPort: controlPortOf(environment.SIM_CONTROL_PORT, httpPort),
    catalogFile: environment.SIM_CATALOG || null,
    engineId: environment.SIM_ENGINE_ID ?? `${hostname()}:${httpPort}`,
    given,
  };
  return { options, settings, ignored };
}
