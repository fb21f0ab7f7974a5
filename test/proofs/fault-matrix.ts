/**
 * Every way in which an engine is known to fail × the moment in which it does, and what a viewer gets of it. Engines are asked in the order A, B, C.
 *
 * - before: A has the fault when the viewer asks for the content. It plays from …
 * - mid: A plays, and gets the fault. The stream goes on from …
 * - during: A plays and ends the session, and B, which is asked next, has the fault. The stream goes on from …
 *
 * A bare letter is an exact promise: the viewer has every packet of the broadcaster, byte for byte, once and in its place, and the independent checker
 * has nothing to say.
 */
import type { EngineName } from './stage.js';

export const PHASES = ['before', 'mid', 'during'] as const;
export type Phase = (typeof PHASES)[number];

export interface Outcome {
  /** Which engine the viewer has in the end. */
  readonly on: EngineName;
  /** Seconds of the content that may be missing where exact continuation cannot be. */
  readonly lost?: number;
  /** Seconds of the content that may come twice before the fault is seen. */
  readonly repeated?: number;
  /** What the engine damaged reaches the viewer, until the engine is left: the proxy does not repair a packet. */
  readonly damaged?: true;
}

/** Knobs of the engine simulator (its README), or what is done to the engine. */
export type Fault =
  | { readonly knobs: Readonly<Record<string, unknown>> }
  /** `killed`: its process is gone. `restarts`: all connections break and it boots. `ends`, `forgets`: as soon as it has a session, that is ended
   * by another hand or forgotten. `wanted`: the orchestrator wants it to be left. */
  | { readonly act: 'killed' | 'restarts' | 'ends' | 'forgets' | 'wanted' };

export interface Row {
  readonly group: string;
  readonly fault: string;
  readonly inflict: Fault;
  readonly expect: Readonly<Record<Phase, Outcome>>;
  /** The engine does not hear that it is to stop, or never told how it is done: its session ends by itself, later. */
  readonly deaf?: true;
}

type Told = EngineName | Outcome;

function row(group: string, fault: string, inflict: Fault, before: Told, mid: Told, during: Told, deaf?: true): Row {
  const outcome = (told: Told): Outcome => (typeof told === 'string' ? { on: told } : told);
  return { group, fault, inflict, expect: { before: outcome(before), mid: outcome(mid), during: outcome(during) }, deaf };
}

const knobs = (values: Readonly<Record<string, unknown>>): Fault => ({ knobs: values });
const act = (name: 'killed' | 'restarts' | 'ends' | 'forgets' | 'wanted'): Fault => ({ act: name });

const DAMAGED_A: Outcome = { on: 'A', damaged: true };
const DAMAGED_B: Outcome = { on: 'B', damaged: true };
const DAMAGED_C: Outcome = { on: 'C', damaged: true };

/* prettier-ignore */
export const FAULT_MATRIX: readonly Row[] = [
  //   group         fault                                             how                                                        before     mid        during
  row('boot',       'its process is killed',                           act('killed'),                                              'B',       'B',       'C'),
  row('boot',       'it restarts',                                     act('restarts'),                                            'B',       'B',       'C'),

  row('start',      'it answers late, within the limit',               knobs({ jsonDelayMs: 900 }),                                'A',       'A',       'B'),
  row('start',      'it answers too late',                             knobs({ jsonDelayMs: 4000 }),                               'B',       'A',       'C'),
  row('start',      'it refuses the content',                          knobs({ refuseContent: 'failed to load content' }),         'B',       'A',       'C'),
  row('start',      'it answers 500 with HTML',                        knobs({ httpStatus: 500 }),                                 'B',       'A',       'C'),
  row('start',      'its JSON is cut off',                             knobs({ truncatedJson: true }),                             'B',       'A',       'C', true),
  row('start',      'it answers HTML for JSON',                        knobs({ htmlInsteadOfJson: true }),                         'B',       'A',       'C', true),
  row('start',      'it answers nothing in good form',                 knobs({ responseNull: true }),                              'B',       'A',       'C'),
  row('start',      'the playback address is missing',                 knobs({ missingField: 'playback_url' }),                    'B',       'A',       'C'),
  row('start',      'its addresses name another host',                 knobs({ wrongHostInUrls: 'http://127.0.0.1:9' }),           'A',       'A',       'B'),

  row('first byte', 'it buffers for long, within the limit',           knobs({ prebufMs: 1500 }),                                  'A',       'A',       'B'),
  row('first byte', 'it holds the reader for ever',                    knobs({ prebufMode: 'hold-forever' }),                      'B',       'A',       'C'),
  row('first byte', 'it says 500 while it buffers, then plays',        knobs({ prebufMode: 'http500-then-ok', prebufMs: 1200 }),   'A',       'A',       'B'),
  row('first byte', 'it says 500 for ever',                            knobs({ prebufMode: 'http500-forever' }),                   'B',       'A',       'C'),
  row('first byte', 'it sends headers, then nothing',                  knobs({ headersThenSilence: true }),                        'B',       'B',       'C'),

  row('flow',       'it falls silent',                                 knobs({ stallAfterMs: 1 }),                                 'B',       'B',       'C'),
  row('flow',       'it pauses and goes on',                           knobs({ stallAfterMs: 300, resumeAfterMs: 900 }),           'A',       'A',       'B'),
  row('flow',       'it ends the stream',                              knobs({ eofAfterMs: 1 }),                                   'B',       'B',       'C'),
  row('flow',       'it breaks the connection',                        knobs({ resetAfterMs: 1 }),                                 'B',       'B',       'C'),
  row('flow',       'it ends the stream after half a second of it',    knobs({ eofAfterBytes: 100_000 }),                          'B',       'B',       'C'),
  row('flow',       'it breaks off after half a second of stream',     knobs({ resetAfterBytes: 100_000 }),                        'B',       'B',       'C'),
  row('flow',       'its pieces are late',                             knobs({ jitterMs: 900 }),                                   'A',       'A',       'B'),
  row('flow',       'its pieces are large',                            knobs({ chunkBytes: 200_000 }),                             'A',       'A',       'B'),
  row('flow',       'it begins in the middle of a packet',             knobs({ misalignedStart: true }),                           'A',       'A',       'B'),
  row('flow',       'it begins anywhere in the picture',               knobs({ startAt: 'packet' }),                               'A',       'A',       'B'),
  row('flow',       'it delivers a third of real time',                knobs({ rateFactor: 0.33 }),              { on: 'B', lost: 12 }, { on: 'B', lost: 12 }, { on: 'C', lost: 12 }),
  row('flow',       'it repeats its last seconds',                     knobs({ loopAfterMs: 1, loopLengthMs: 5000 }), { on: 'B', damaged: true, lost: 8, repeated: 6 }, { on: 'B', damaged: true, lost: 8, repeated: 6 }, { on: 'C', damaged: true, lost: 8, repeated: 6 }),

  row('TS damage',  'one packet in 50 is lost',                        knobs({ dropPpm: 20_000 }),                                 DAMAGED_B, DAMAGED_B, DAMAGED_C),
  row('TS damage',  'one counter in 50 is wrong',                      knobs({ ccErrorPpm: 20_000 }),                              DAMAGED_B, DAMAGED_B, DAMAGED_C),
  row('TS damage',  'garbage before one packet in 500',                knobs({ garbagePpm: 2000 }),                                'B',       'B',       'C'),
  row('TS damage',  'the PAT is missing',                              knobs({ missingPat: true }),                                'B',       DAMAGED_A, DAMAGED_B),
  row('TS damage',  'the sound is missing',                            knobs({ audioLostAfterMs: 1 }),                             DAMAGED_A, DAMAGED_A, DAMAGED_B),
  row('TS damage',  'its clock leaps by a minute',                     knobs({ ptsJumpAfterMs: 300 }),                             DAMAGED_A, DAMAGED_A, DAMAGED_B),

  row('session',    'another hand ends the session',                   act('ends'),                                                'B',       'B',       'C'),
  row('session',    'it forgets the session and is silent',            act('forgets'),                                             'B',       'B',       'C'),
  row('session',    'its stop never answers',                          knobs({ stopHangs: true }),                                 'A',       'A',       'B', true),
  row('session',    'its stop is refused',                             knobs({ stopError: 'unknown playback session id' }),        'A',       'A',       'B', true),

  row('HTTP',       'it hangs altogether',                             knobs({ hangAll: true }),                                   'B',       'B',       'C', true),
  row('HTTP',       'it does not answer who asks for media',           knobs({ hangPlayback: true }),                              'B',       'A',       'C'),
  row('HTTP',       'it takes connections and does not answer',        knobs({ acceptNoReply: true }),                             'B',       'A',       'C', true),
  row('HTTP',       'its ports are closed',                            knobs({ refuse: true }),                                    'B',       'B',       'C', true),
  row('HTTP',       'it resets every new connection',                  knobs({ resetConnections: true }),                          'B',       'A',       'C', true),
  row('HTTP',       'every answer is slow',                            knobs({ slowHttpMs: 500 }),                                 'A',       'A',       'B'),
  row('HTTP',       'it says 503 to everything',                       knobs({ unavailable: true }),                               'B',       'A',       'C', true),

  row('network',    'it has lost the Internet, and its streams starve', knobs({ connected: false, starveAfterDisconnectMs: 1 }),   'B',       'B',       'C'),
  row('network',    'it says that it has no connection, and plays',    knobs({ connected: false }),                                'A',       'A',       'B'),
  row('network',    'it says that it has no peers, and plays',         knobs({ peers: 0 }),                                        'A',       'A',       'B'),

  // Nothing of these is asked for by a viewer of the transport stream.
  row('HLS',        'its playlists are frozen and forbidden',          knobs({ hlsFrozenAfterMs: 1, hlsForbidden: true }),         'A',       'A',       'B'),
  row('line API',   'its line API is not ready',                       knobs({ lineNotReady: true }),                              'A',       'A',       'B'),
  row('resources',  'its memory and its cache grow',                   knobs({ memoryMb: 40, diskGrowKbPerSec: 500 }),             'A',       'A',       'B'),

  row('orchestrator', 'the orchestrator wants it to be left',          act('wanted'),                                              'B',       'B',       'C'),
];
