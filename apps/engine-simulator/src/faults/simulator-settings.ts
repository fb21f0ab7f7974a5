/**
 * Every setting of the simulated engine: how it behaves and how it fails. One table gives the types, the defaults, the SIM_* environment
 * names (bootMs is SIM_BOOT_MS) and what the control API and the catalog accept. Times are in ms unless the name says otherwise; null is off.
 */
import { InputError } from '../input-error.js';

/** What a setting applies to: `engine` only to the whole engine, `content` also to one content. */
export type SettingScope = 'engine' | 'content';

interface SettingDefinition<V> {
  scope: SettingScope;
  default: V;
  /** What a valid value is, for error messages. */
  expected: string;
  /** Reads a text (environment) or a JSON value (catalog, control API); undefined if it is invalid. */
  parse(value: unknown): V | undefined;
}

function parseNumber(value: unknown, minimum: number): number | undefined {
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) && parsed >= minimum ? parsed : undefined;
}

const isOff = (value: unknown): boolean => value === null || value === '' || value === 'off';

const signed = (scope: SettingScope, value: number): SettingDefinition<number> => ({
  scope,
  default: value,
  expected: 'a number',
  parse: (given) => parseNumber(given, -Infinity),
});

const number = (scope: SettingScope, value: number): SettingDefinition<number> => ({
  scope,
  default: value,
  expected: 'a number of at least 0',
  parse: (given) => parseNumber(given, 0),
});

const optional = (scope: SettingScope): SettingDefinition<number | null> => ({
  scope,
  default: null,
  expected: 'a number of at least 0, or off',
  parse: (given) => (isOff(given) ? null : parseNumber(given, 0)),
});

const flag = (scope: SettingScope, value = false): SettingDefinition<boolean> => ({
  scope,
  default: value,
  expected: 'true or false',
  parse: (given) => (/^(1|true|yes|on)$/i.test(String(given)) ? true : /^(0|false|no|off|)$/i.test(String(given)) ? false : undefined),
});

const text = (scope: SettingScope): SettingDefinition<string | null> => ({
  scope,
  default: null,
  expected: 'a text',
  parse: (given) => (given === null || given === '' ? null : typeof given === 'string' ? given : undefined),
});

const choice = <const C extends string>(scope: SettingScope, choices: readonly [C, ...C[]]): SettingDefinition<C> => ({
  scope,
  default: choices[0],
  expected: `one of ${choices.join(', ')}`,
  parse: (given) => choices.find((name) => name === given),
});

export const SETTINGS = {
  // Boot and end of the process
  version: choice('engine', ['3.2.11', '3.2.3', '3.1.70', '3.1.75rc4', '3.1.74', '3.1.49', '3.2.17']),
  bootMs: number('engine', 6000),
  apiDelayMs: number('engine', 300),
  neverReady: flag('engine'),
  crashAfterMs: optional('engine'),
  crashExitCode: number('engine', 1),
  ignoreSigterm: flag('engine'),
  unknownOptionFails: flag('engine', true),

  // Start of a playback
  jsonDelayMs: number('content', 50),
  idLookupMs: number('content', 150),
  infohashAsId: choice('engine', ['fail-known', 'fail', 'play']),
  refuseContent: text('content'),
  httpStatus: optional('content'),
  truncatedJson: flag('content'),
  htmlInsteadOfJson: flag('content'),
  missingField: text('content'),
  wrongHostInUrls: text('content'),
  responseNull: flag('content'),
  sessionId: choice('content', ['hex', 'number']),
  compressed: flag('content'),
  startRedirect: flag('content'),
  analyzeForms: choice('engine', ['all', 'documented', 'bare']),

  // First byte
  prebufMs: number('content', 1500),
  prebufMode: choice('content', ['hold', 'http500-then-ok', 'http500-forever', 'hold-forever']),
  headersThenSilence: flag('content'),
  framing: choice('content', ['chunked', 'close']),
  mediaReply: choice('content', ['200', '206', 'huge-length', 'icy', 'no-stream']),

  // Pacing of the stream
  bitrate: number('content', 3_500_000),
  picture: choice('content', ['picture', 'scale']),
  loopFile: text('engine'),
  marker: choice('engine', ['content', 'engine', 'off']),
  skewMs: signed('engine', 0),
  burstSec: number('content', 6),
  burstFactor: number('content', 3.5),
  chunkBytes: number('content', 131_072),
  jitterMs: number('content', 100),
  rateFactor: number('content', 1),
  startAt: choice('content', ['keyframe', 'packet']),
  misalignedStart: flag('content'),
  stallAfterMs: optional('content'),
  stallAfterBytes: optional('content'),
  resumeAfterMs: optional('content'),
  eofAfterMs: optional('content'),
  eofAfterBytes: optional('content'),
  resetAfterMs: optional('content'),
  resetAfterBytes: optional('content'),
  loopAfterMs: optional('content'),
  loopLengthMs: number('content', 10_000),

  // Damage to the transport stream
  dropPpm: number('content', 0),
  dropPids: text('content'),
  ccErrorPpm: number('content', 0),
  missingPat: flag('content'),
  audioLostAfterMs: optional('content'),
  ptsJumpAfterMs: optional('content'),
  ptsJumpMs: signed('content', 60_000),
  garbagePpm: number('content', 0),

  // Sessions
  supersede: choice('engine', ['kill', 'alias']),
  secondReader: choice('content', ['corrupt', 'shared', 'reject500']),
  idleMs: number('content', 60_000),
  maxStreams: optional('engine'),
  loseSessionAfterMs: optional('content'),
  stopHangs: flag('content'),
  stopError: text('content'),
  unknownSessionError: text('engine'),

  // All HTTP requests
  hangAll: flag('engine'),
  hangPlayback: flag('content'),
  acceptNoReply: flag('engine'),
  refuse: flag('engine'),
  resetConnections: flag('engine'),
  slowHttpMs: number('engine', 0),
  unavailable: flag('engine'),

  // Network and content
  connected: flag('engine', true),
  starveAfterDisconnectMs: optional('engine'),
  tunnelProbe: text('engine'),
  peers: number('content', 8),
  live: flag('content', true),
  encrypted: flag('content'),

  // HLS
  hlsPrebufMs: number('content', 3000),
  hlsWindow: number('content', 15),
  hlsAbsoluteSequence: flag('content'),
  hlsFrozenAfterMs: optional('content'),
  hlsSegment404: flag('content'),
  hlsSegmentDelayMs: number('content', 0),
  hlsRelativeUrls: flag('content'),
  hlsMasterPlaylist: flag('content'),
  hlsForbidden: flag('content'),

  // Resources
  memoryMb: number('engine', 0),
  diskGrowKbPerSec: number('engine', 0),
};

export type SettingName = keyof typeof SETTINGS;
type ValueOf<D> = D extends SettingDefinition<infer V> ? V : never;
export type SimulatorSettings = { [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

const NAMES = Object.keys(SETTINGS) as SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** SIM_STALL_AFTER_MS for stallAfterMs. */
export function environmentName(name: SettingName): string {
  return `SIM_${name.replace(/(?<=[a-z])(?=[A-Z0-9])/g, '_').toUpperCase()}`;
}

/** Reads one value. @throws InputError */
export function parseSetting(name: SettingName, value: unknown): SimulatorSettings[SettingName] {
  const { expected, parse }: SettingDefinition<SimulatorSettings[SettingName]> = SETTINGS[name];
  const parsed = parse(value);
  if (parsed === undefined) throw new InputError(`${name} is ${JSON.stringify(value)}: it must be ${expected}`);
  return parsed;
}

/** Reads several settings from JSON, for the engine or for one content. @throws InputError */
export function parseSettings(values: Record<string, unknown>, scope: SettingScope): Partial<SimulatorSettings> {
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!isSettingName(name)) throw new InputError(`unknown setting ${name}: see the README of the engine simulator`);
    if (scope === 'content' && SETTINGS[name].scope === 'engine')
      throw new InputError(`${name} applies to the whole engine: set ${environmentName(name)}, or use the target "*"`);
    parsed[name] = parseSetting(name, value);
  }
  return parsed;
}

/** SIM_* variables that are no setting, most likely misspelled ones. `others` are names that something else reads. */
export function unknownVariables(environment: NodeJS.ProcessEnv, others: readonly string[]): string[] {
  const known = new Set([...NAMES.map(environmentName), ...others]);
  return Object.keys(environment).filter((name) => name.startsWith('SIM_') && !known.has(name));
}

/** The settings that differ from their defaults. */
export function changedSettings(settings: SimulatorSettings): [string, unknown][] {
  return NAMES.filter((name) => settings[name] !== SETTINGS[name].default).map((name) => [name, settings[name]]);
}

/** The defaults with the SIM_* environment over them. @throws InputError */
export function settingsFromEnvironment(environment: NodeJS.ProcessEnv): SimulatorSettings {
  const settings = NAMES.map((name) => {
    const given = environment[environmentName(name)];
    return [name, given === undefined ? SETTINGS[name].default : parseSetting(name, given)];
  });
  return Object.fromEntries(settings) as SimulatorSettings;
}
