/**
 * All known engine faults at three moments, and the engine that plays the stream in the end: IT, the engine with the fault, or ANOTHER one.
 *
 * - before: the first engine has the fault when the viewer arrives.
 * - mid: the engine that plays gets the fault.
 * - during: the engine that plays ends the session, and the next engine has the fault.
 *
 * IT and ANOTHER promise exact continuation: the viewer gets every packet of the broadcast, byte for byte, once and in order, and the
 * independent checker finds no violation. Other outcomes name what differs.
 */
export const PHASES = ['before', 'mid', 'during'] as const;
export type Phase = (typeof PHASES)[number];

export interface Outcome {
  /** The engine that delivers the stream in the end: the one with the fault, or another. */
  readonly by: 'it' | 'another';
  /** Seconds of content that may be missing if exact continuation is impossible. */
  readonly lost?: number;
  /** Seconds of content that may be repeated before the fault is detected. */
  readonly repeated?: number;
  /** Damaged packets reach the viewer until the proxy leaves the engine: it does not repair packets. */
  readonly damaged?: true;
}

/** Settings of the engine simulator (see its README), or an action on the engine. */
export type Fault =
  | { readonly settings: Readonly<Record<string, unknown>> }
  /**
   * `killed`: its process is killed. `restarts`: all connections break and it boots. `ends`, `forgets`: its session is ended or forgotten as
   * soon as it exists. `drained`: the orchestrator orders the proxy to leave it.
   */
  | { readonly act: 'killed' | 'restarts' | 'ends' | 'forgets' | 'drained' };

export interface Row {
  readonly group: string;
  readonly fault: string;
  readonly inflict: Fault;
  readonly expect: Readonly<Record<Phase, Outcome>>;
  /** The engine does not receive the stop, or never sent its stop URL. Its session expires later. */
  readonly unreachable?: true;
}

function row(group: string, fault: string, inflict: Fault, before: Outcome, mid: Outcome, during: Outcome, unreachable?: true): Row {
  return { group, fault, inflict, expect: { before, mid, during }, unreachable };
}

const settings = (values: Readonly<Record<string, unknown>>): Fault => ({ settings: values });
const act = (name: 'killed' | 'restarts' | 'ends' | 'forgets' | 'drained'): Fault => ({ act: name });

const IT: Outcome = { by: 'it' };
const ANOTHER: Outcome = { by: 'another' };
const IT_DAMAGED: Outcome = { by: 'it', damaged: true };
/** The damaged bytes differ from those of the next engine, so the stream continues there at a keyframe. */
const ANOTHER_DAMAGED: Outcome = { by: 'another', damaged: true, lost: 4 };
/** After the jump the proxy enters the stream again at a keyframe and keeps its own clock. An overlap on another clock is repeated. */
const IT_AT_A_KEYFRAME: Outcome = { by: 'it', lost: 2 };
const IT_OVERLAPPING: Outcome = { by: 'it', lost: 2, repeated: 6 };
/** Before it failed, the first engine sent media from some seconds back. The next engine starts later than that. */
const ANOTHER_LATER: Outcome = { by: 'another', lost: 6 };

/* prettier-ignore */
export const FAULT_MATRIX: readonly Row[] = [
  //   group         the engine with the fault                         how                                                          before   mid      during
  row('boot',       'its process is killed',                           act('killed'),                                               ANOTHER, ANOTHER, ANOTHER),
  row('boot',       'it restarts',                                     act('restarts'),                                             ANOTHER, ANOTHER, ANOTHER),

  row('start',      'it answers late, within the limit',               settings({ jsonDelayMs: 900 }),                              IT,      IT,      IT),
  row('start',      'it answers too late',                             settings({ jsonDelayMs: 4000 }),                             ANOTHER, IT,      ANOTHER),
  row('start',      'it refuses the content',                          settings({ refuseContent: 'failed to load content' }),       ANOTHER, IT,      ANOTHER),
  row('start',      'it answers 500 with HTML',                        settings({ httpStatus: 500 }),                               ANOTHER, IT,      ANOTHER),
  row('start',      'its JSON is cut off',                             settings({ truncatedJson: true }),                           ANOTHER, IT,      ANOTHER, true),
  row('start',      'it answers HTML for JSON',                        settings({ htmlInsteadOfJson: true }),                       ANOTHER, IT,      ANOTHER, true),
  row('start',      'its JSON has a null response',                    settings({ responseNull: true }),                            ANOTHER, IT,      ANOTHER),
  row('start',      'the playback URL is missing',                     settings({ missingField: 'playback_url' }),                  ANOTHER, IT,      ANOTHER),
  row('start',      'its URLs name another host',                      settings({ wrongHostInUrls: 'http://127.0.0.1:9' }),         IT,      IT,      IT),

  row('first byte', 'it buffers long, within the limit',               settings({ prebufMs: 1500 }),                                IT,      IT,      IT),
  row('first byte', 'it buffers forever',                              settings({ prebufMode: 'hold-forever' }),                    ANOTHER, IT,      ANOTHER),
  row('first byte', 'it answers 500 while it buffers, then plays',     settings({ prebufMode: 'http500-then-ok', prebufMs: 1200 }), IT,      IT,      IT),
  row('first byte', 'it answers 500 to every media request',           settings({ prebufMode: 'http500-forever' }),                 ANOTHER, IT,      ANOTHER),
  row('first byte', 'it sends headers and no media',                   settings({ headersThenSilence: true }),                      ANOTHER, ANOTHER, ANOTHER),

  row('flow',       'it falls silent',                                 settings({ stallAfterMs: 1 }),                               ANOTHER_LATER, ANOTHER, ANOTHER),
  row('flow',       'it pauses and continues',                         settings({ stallAfterMs: 300, resumeAfterMs: 900 }),         IT,      IT,      IT),
  row('flow',       'it ends the stream',                              settings({ eofAfterMs: 1 }),                                 ANOTHER_LATER, ANOTHER, ANOTHER),
  row('flow',       'it breaks the connection',                        settings({ resetAfterMs: 1 }),                               ANOTHER_LATER, ANOTHER, ANOTHER),
  row('flow',       'it ends the stream after half a second of media', settings({ eofAfterBytes: 100_000 }),                        ANOTHER_LATER, ANOTHER, ANOTHER),
  row('flow',       'it breaks the connection after half a second',    settings({ resetAfterBytes: 100_000 }),                      ANOTHER_LATER, ANOTHER, ANOTHER),
  row('flow',       'its pieces arrive late',                          settings({ jitterMs: 900 }),                                 IT,      IT,      IT),
  row('flow',       'its pieces are large',                            settings({ chunkBytes: 200_000 }),                           IT,      IT,      IT),
  row('flow',       'it starts in the middle of a packet',             settings({ misalignedStart: true }),                         IT,      IT,      IT),
  row('flow',       'it starts in the middle of a picture',            settings({ startAt: 'packet' }),                             IT,      IT,      IT),
  row('flow',       'it delivers a third of real time',                settings({ rateFactor: 0.33 }),                              { by: 'another', lost: 12 }, { by: 'another', lost: 12 }, { by: 'another', lost: 12 }),
  row('flow',       'it repeats its last seconds',                     settings({ loopAfterMs: 1, loopLengthMs: 5000 }),            { by: 'another', damaged: true, lost: 8, repeated: 6 }, { by: 'another', damaged: true, lost: 8, repeated: 6 }, { by: 'another', damaged: true, lost: 8, repeated: 6 }),

  row('TS damage',  'one packet in 50 is lost',                        settings({ dropPpm: 20_000 }),                               ANOTHER_DAMAGED, ANOTHER_DAMAGED, ANOTHER_DAMAGED),
  row('TS damage',  'one counter in 50 is wrong',                      settings({ ccErrorPpm: 20_000 }),                            ANOTHER_DAMAGED, ANOTHER_DAMAGED, ANOTHER_DAMAGED),
  row('TS damage',  'garbage before one packet in 500',                settings({ garbagePpm: 2000 }),                              ANOTHER, ANOTHER, ANOTHER),
  row('TS damage',  'the PAT is missing',                              settings({ missingPat: true }),                              IT_DAMAGED, IT_DAMAGED, IT_DAMAGED),
  row('TS damage',  'the audio is missing',                            settings({ audioLostAfterMs: 1 }),                           IT_DAMAGED, IT_DAMAGED, IT_DAMAGED),
  row('TS damage',  'its clock jumps by a minute',                     settings({ ptsJumpAfterMs: 300 }),                           IT_AT_A_KEYFRAME, IT_AT_A_KEYFRAME, IT_OVERLAPPING),

  row('session',    'another client ends the session',                 act('ends'),                                                 ANOTHER, ANOTHER, ANOTHER),
  row('session',    'it forgets the session and sends nothing',        act('forgets'),                                              ANOTHER, ANOTHER, ANOTHER),
  row('session',    'it never answers the stop request',               settings({ stopHangs: true }),                               IT,      IT,      IT, true),
  row('session',    'it rejects the stop request',                     settings({ stopError: 'unknown playback session id' }),      IT,      IT,      IT, true),

  row('HTTP',       'it hangs completely',                             settings({ hangAll: true }),                                 ANOTHER, ANOTHER, ANOTHER, true),
  row('HTTP',       'it does not answer media requests',               settings({ hangPlayback: true }),                            ANOTHER, IT,      ANOTHER),
  row('HTTP',       'it accepts connections and does not answer',      settings({ acceptNoReply: true }),                           ANOTHER, IT,      ANOTHER, true),
  row('HTTP',       'its ports are closed',                            settings({ refuse: true }),                                  ANOTHER, ANOTHER, ANOTHER, true),
  row('HTTP',       'it resets every new connection',                  settings({ resetConnections: true }),                        ANOTHER, IT,      ANOTHER, true),
  row('HTTP',       'every response is slow',                          settings({ slowHttpMs: 500 }),                               IT,      IT,      IT),
  row('HTTP',       'it answers 503 to every request',                 settings({ unavailable: true }),                             ANOTHER, IT,      ANOTHER, true),

  row('network',    'it loses the Internet, and its streams starve',   settings({ connected: false, starveAfterDisconnectMs: 1 }), ANOTHER, ANOTHER, ANOTHER),
  row('network',    'it reports no Internet connection, but plays',    settings({ connected: false }),                              IT,      IT,      IT),
  row('network',    'it has no peers and gets no data',                 settings({ peers: 0 }),                                      ANOTHER, ANOTHER, ANOTHER),

  // A viewer of the transport stream does not use any of these.
  row('HLS',        'its playlists are frozen and forbidden',          settings({ hlsFrozenAfterMs: 1, hlsForbidden: true }),       IT,      IT,      IT),
  row('resources',  'its memory and cache grow',                       settings({ memoryMb: 40, diskGrowKbPerSec: 500 }),           IT,      IT,      IT),

  row('orchestrator', 'the orchestrator drains it',                    act('drained'),                                              ANOTHER, ANOTHER, ANOTHER),
];
