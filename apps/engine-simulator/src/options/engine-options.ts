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
  /** Every option with its value, for the log: secrets and values from files are replaced. */
  given: Map<string, string | true>;
}

/** SIM_* variables that are no setting. */
const OWN_NAMES = ['SIM_CONTROL_PORT', 'SIM_CATALOG', 'SIM_ENGINE_ID', 'SIM_STATE_DIR'];

const isYes = (value: string | true | undefined): boolean => value === true || /^(1|true|yes|on)$/i.test(value ?? '');

/** Replaces a value that is not logged. */
const HIDDEN = '***';

/** A port, or `+n`: n above the HTTP port, for many engines that share one environment. */
function controlPortOf(text: string | undefined, httpPort: number): number {
  const offset = /^\+(\d+)$/.exec(text ?? '')?.[1];
  const given = offset === undefined ? text : String(httpPort + Number(offset));
  const port = portIn(given, 0);
  if (port === null) throw notAPort('SIM_CONTROL_PORT', given);
  return port;
}

/** Null if `value` is no port. */
function portIn(value: string | true | undefined, fallback: number): number | null {
  if (value === undefined) return fallback;
  const port = Number(value);
  return value === true || value === '' || !Number.isInteger(port) || port < 0 || port > 65_535 ? null : port;
}

function notAPort(name: string, shown: string | true | undefined): InputError {
  return new InputError(`${name} is "${shown}": it must be a port from 0 to 65535`);
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
  const fromFiles = new Set(sources.flatMap((source) => [...source.fromFiles]));
  const shown = new Map<string, string | true>(
    [...given].map(([name, value]) => [name, value !== true && (fromFiles.has(name) || /pass|token/.test(name)) ? HIDDEN : value]),
  );
  const port = (name: string, fallback: number): number => {
    const value = portIn(given.get(name), fallback);
    if (value === null) throw notAPort(name, shown.get(name));
    return value;
  };
  const text = (name: string): string | null => {
    const value = given.get(name);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const httpPort = port('http-port', 6878);
  const options: EngineOptions = {
    httpPort,
    httpsPort: port('https-port', 6879),
    apiPort: port('api-port', 62_062),
    p2pPort: port('port', 8621),
    host: isYes(given.get('bind-all')) ? '0.0.0.0' : '127.0.0.1',
    accessToken: text('access-token') ?? text('service-access-token'),
    stateDir: text('state-dir') ?? environment.SIM_STATE_DIR ?? null,
    cacheDir: text('cache-dir'),
    controlPort: controlPortOf(environment.SIM_CONTROL_PORT, httpPort),
    catalogFile: environment.SIM_CATALOG || null,
    engineId: environment.SIM_ENGINE_ID ?? `${hostname()}:${httpPort}`,
    given: shown,
  };
  return { options, settings, ignored };
}
