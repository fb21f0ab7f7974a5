/**
 * Every knob of the simulated engine: how it behaves and how it fails. One table gives the types, the defaults, the SIM_* environment
 * names (bootMs is SIM_BOOT_MS) and what the control API and the catalog accept. Times are ms unless the name says otherwise; null is off.
 */

/** Where a knob can be set: `engine` for the whole process only, `content` for one content, too. */
export type KnobScope = 'engine' | 'content';

interface NumberKnob {
  kind: 'number';
  scope: KnobScope;
  default: number;
}
interface OptionalNumberKnob {
  kind: 'optional-number';
  scope: KnobScope;
  default: number | null;
}
interface BooleanKnob {
  kind: 'boolean';
  scope: KnobScope;
  default: boolean;
}
interface TextKnob {
  kind: 'text';
  scope: KnobScope;
  default: string | null;
}
interface ChoiceKnob<C extends string = string> {
  kind: 'choice';
  scope: KnobScope;
  default: C;
  choices: readonly C[];
}
export type KnobDefinition = NumberKnob | OptionalNumberKnob | BooleanKnob | TextKnob | ChoiceKnob;

const number = (scope: KnobScope, value: number): NumberKnob => ({ kind: 'number', scope, default: value });
const optional = (scope: KnobScope): OptionalNumberKnob => ({ kind: 'optional-number', scope, default: null });
const flag = (scope: KnobScope, value = false): BooleanKnob => ({ kind: 'boolean', scope, default: value });
const text = (scope: KnobScope): TextKnob => ({ kind: 'text', scope, default: null });
const choice = <const C extends string>(scope: KnobScope, choices: readonly [C, ...C[]]): ChoiceKnob<C> => ({
  kind: 'choice',
  scope,
  default: choices[0],
  choices,
});

export const KNOBS = {
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
  infohashAsId: choice('content', ['fail-known', 'fail', 'play']),
  refuseContent: text('content'),
  httpStatus: optional('content'),
  truncatedJson: flag('content'),
  htmlInsteadOfJson: flag('content'),
  missingField: text('content'),
  wrongHostInUrls: text('content'),
  responseNull: flag('content'),

  // First byte
  prebufMs: number('content', 1500),
  prebufMode: choice('content', ['hold', 'http500-then-ok', 'http500-forever', 'hold-forever']),
  headersThenSilence: flag('content'),
  framing: choice('content', ['chunked', 'close']),

  // Flow
  bitrate: number('content', 3_500_000),
  picture: choice('content', ['picture', 'scale']),
  marker: choice('engine', ['content', 'engine', 'off']),
  skewMs: number('engine', 0),
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
  ptsJumpMs: number('content', 60_000),
  garbagePpm: number('content', 0),

  // Sessions
  supersede: choice('engine', ['kill', 'alias']),
  secondReader: choice('content', ['corrupt', 'shared', 'reject500']),
  idleMs: number('content', 60_000),
  maxStreams: optional('engine'),
  loseSessionAfterMs: optional('content'),
  stopHangs: flag('content'),
  stopError: text('content'),

  // HTTP as a whole
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
} satisfies Record<string, KnobDefinition>;

export type KnobName = keyof typeof KNOBS;
type ValueOf<D> = D extends ChoiceKnob<infer C> ? C : D extends { default: infer V } ? V : never;
export type Knobs = { [K in KnobName]: ValueOf<(typeof KNOBS)[K]> };

/** A knob that does not exist, or a value it cannot have. */
export class KnobError extends Error {
  readonly code = 'bad_knob';
}

export function isKnobName(name: string): name is KnobName {
  return Object.hasOwn(KNOBS, name);
}

/** SIM_STALL_AFTER_MS for stallAfterMs. */
export function environmentName(name: KnobName): string {
  return `SIM_${name.replace(/(?<=[a-z])(?=[A-Z0-9])/g, '_').toUpperCase()}`;
}

/** Reads one value, given as text (environment) or as JSON (catalog, control API); throws KnobError. */
export function parseKnob(name: KnobName, value: unknown): Knobs[KnobName] {
  const knob: KnobDefinition = KNOBS[name];
  switch (knob.kind) {
    case 'optional-number':
    case 'number': {
      if (knob.kind === 'optional-number' && (value === null || value === '' || value === 'off')) return null;
      const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof parsed === 'number' && Number.isFinite(parsed) && (parsed >= 0 || name === 'skewMs' || name === 'ptsJumpMs'))
        return parsed;
      throw new KnobError(`${name}: ${JSON.stringify(value)} is not a number of at least 0`);
    }
    case 'boolean':
      if (value === true || /^(1|true|yes|on)$/i.test(String(value))) return true;
      if (value === false || /^(0|false|no|off|)$/i.test(String(value))) return false;
      throw new KnobError(`${name}: ${JSON.stringify(value)} is not true or false`);
    case 'text':
      if (value === null || value === '') return null;
      if (typeof value === 'string') return value;
      throw new KnobError(`${name}: ${JSON.stringify(value)} is not a text`);
    case 'choice':
      if (typeof value === 'string' && knob.choices.includes(value)) return value as Knobs[KnobName];
      throw new KnobError(`${name}: ${JSON.stringify(value)} is none of ${knob.choices.join(', ')}`);
    default:
      return knob satisfies never;
  }
}

/** Reads a set of knobs from JSON, for the engine or for one content; throws KnobError at the first that is wrong. */
export function parseKnobs(values: Record<string, unknown>, scope: KnobScope): Partial<Knobs> {
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!isKnobName(name)) throw new KnobError(`${name}: there is no such knob`);
    if (scope === 'content' && KNOBS[name].scope === 'engine') throw new KnobError(`${name}: is for the whole engine, not for one content`);
    parsed[name] = parseKnob(name, value);
  }
  return parsed as Partial<Knobs>;
}

/** SIM_* names that mean nothing: most likely a slip of the pen. */
export function unknownSimNames(environment: NodeJS.ProcessEnv, others: readonly string[]): string[] {
  const known = new Set([...(Object.keys(KNOBS) as KnobName[]).map(environmentName), ...others]);
  return Object.keys(environment).filter((name) => name.startsWith('SIM_') && !known.has(name));
}

/** The knobs that are not as the table has them. */
export function changedKnobs(knobs: Knobs): [string, unknown][] {
  return Object.entries(knobs).filter(([name, value]) => value !== KNOBS[name as KnobName].default);
}

/** All knobs: the table's defaults with the SIM_* environment over them; throws KnobError. */
export function knobsFromEnvironment(environment: NodeJS.ProcessEnv): Knobs {
  const knobs: Record<string, unknown> = {};
  for (const name of Object.keys(KNOBS) as KnobName[]) {
    const given = environment[environmentName(name)];
    knobs[name] = given === undefined ? KNOBS[name].default : parseKnob(name, given);
  }
  return knobs as Knobs;
}
