/** Fakes around the sessions: engines, a selector and viewers, all driven by the test. */
import { PassThrough, type Readable } from 'node:stream';
import { EngineRefusedError } from '@acexy/engine-client';
import type { ContentDescription, ContentSelector, EngineAddress, Playback, StartPlayback } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { DEFAULT_BROADCAST_SETTINGS, type ViewerEndReason, type ViewerSink } from '../../../apps/proxy/src/broadcast/broadcast.js';
import { type Clock, within } from '@acexy/service-kit/primitives';
import { FakeClock } from '../fake-clock.js';
import { type LeasedEngine, EngineSelector, NoEngineError, type SelectRequest } from '../../../apps/proxy/src/selection/engine-selector.js';
import type { ViewerSubscription } from '../../../apps/proxy/src/sessions/viewer-subscription.js';
import type { RequestedContent } from '../../../apps/proxy/src/http/content-key.js';
import type { EngineApi } from '../../../apps/proxy/src/sessions/engine-session.js';
import { BufferBudget } from '../../../apps/proxy/src/sessions/budget/buffer-budget.js';
import { EngineStartLimit } from '../../../apps/proxy/src/sessions/start/engine-start-limit.js';
import type { SessionSettings } from '../../../apps/proxy/src/sessions/session-context.js';
import { SessionRegistry } from '../../../apps/proxy/src/sessions/session-registry.js';

export const CONTENT_ID = 'a'.repeat(40);
export const INFOHASH = 'b'.repeat(40);

export function byId(value = CONTENT_ID, variant: Record<string, string> = {}): RequestedContent {
  return { selector: { type: 'content_id', value }, variant, hints: {} };
}

export function byInfohash(value = INFOHASH, variant: Record<string, string> = {}): RequestedContent {
  return { selector: { type: 'infohash', value }, variant, hints: {} };
}

/** Whole packets without meaning to a decoder; enough of them for the aligner to synchronize. */
export function packets(count = 20): Buffer {
  const bytes = Buffer.alloc(count * 188, 0xaa);
  for (let at = 0; at < bytes.length; at += 188) {
    bytes[at] = 0x47;
    bytes[at + 1] = 0x01;
    bytes[at + 2] = 0x23;
    bytes[at + 3] = 0x10 | ((at / 188) & 0x0f);
  }
  return bytes;
}

/** A promise that the test settles. */
export class Pending<T> {
  resolve!: (value: T) => void;
  reject!: (error: Error) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

export type StartBehavior = 'plays' | 'waits' | Error;
export type MediaBehavior = 'flows' | 'silent' | 'waits' | Error;

/** One engine; it records every call. */
export class FakeEngine implements EngineApi {
  start: StartBehavior = 'plays';
  media: MediaBehavior | MediaBehavior[] = 'flows';
  infohash: string | null = INFOHASH;
  /** Of contents with another one than {@link infohash}, by content id. */
  readonly infohashes = new Map<string, string>();
  encrypted = false;
  stopFails: Error | null = null;
  readonly starts: StartPlayback[] = [];
  readonly replies: Pending<Playback>[] = [];
  private readonly answered = new Set<number>();
  /** Contents that it refuses, and contents whose start it does not answer. */
  readonly refused = new Set<string>();
  readonly unanswered = new Set<string>();
  readonly mediaStreams: PassThrough[] = [];
  readonly stops: string[] = [];
  opened = 0;
  /** Contents that it was asked about, and those whose lookup it does not answer. */
  readonly lookups: string[] = [];
  readonly silentLookups = new Set<string>();

  constructor(readonly address: EngineAddress) {}

  /** Sessions that were started and not stopped. */
  get running(): number {
    return this.opened - this.stops.length;
  }

  startPlayback(request: StartPlayback): Promise<Playback> {
    this.starts.push(request);
    if (this.refused.has(request.selector.value)) return Promise.reject(new EngineRefusedError('start', 'failed to load content'));
    if (this.start instanceof Error) return Promise.reject(this.start);
    const reply = new Pending<Playback>();
    this.replies.push(reply);
    request.signal?.addEventListener('abort', () => reply.reject(request.signal?.reason as Error));
    if (this.start === 'plays' && !this.unanswered.has(request.selector.value)) this.answer();
    return reply.promise;
  }

  /** Answers the latest or the given start. */
  answer(index = this.replies.length - 1): void {
    if (this.answered.has(index)) return;
    this.answered.add(index);
    this.opened += 1;
    const session = `${this.address.host}/${index}`;
    this.replies[index].resolve({
      kind: this.starts[index].kind,
      playbackUrl: `http://${this.address.host}/play/${session}`,
      statUrl: `http://${this.address.host}/stat/${session}`,
      commandUrl: `http://${this.address.host}/cmd/${session}`,
      infohash: this.infohashOf(this.starts[index].selector.value),
      playbackSessionId: session,
      isLive: true,
      isEncrypted: this.encrypted,
    });
  }

  describe({ value }: ContentSelector): Promise<ContentDescription> {
    this.lookups.push(value);
    if (this.silentLookups.has(value)) return new Promise(() => undefined);
    return Promise.resolve({ infohash: this.infohashOf(value), title: `title of ${value}` });
  }

  private infohashOf(name: string): string | null {
    return this.infohashes.get(name) ?? this.infohash;
  }

  openMedia(_url: string, { signal }: { signal?: AbortSignal }): Promise<Readable> {
    const behavior = Array.isArray(this.media) ? (this.media.length > 1 ? this.media.shift()! : this.media[0]) : this.media;
    if (behavior instanceof Error) return Promise.reject(behavior);
    if (behavior === 'waits') {
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    }
    const media = new PassThrough();
    signal?.addEventListener('abort', () => media.destroy(signal.reason as Error));
    this.mediaStreams.push(media);
    if (behavior === 'flows') media.write(packets());
    return Promise.resolve(media);
  }

  openHls(url: string, options: { signal?: AbortSignal }): Promise<Readable> {
    return this.openMedia(url, options);
  }

  stop({ commandUrl }: { commandUrl: string }): Promise<'stopped'> {
    if (this.stopFails) return Promise.reject(this.stopFails);
    this.stops.push(commandUrl);
    return Promise.resolve('stopped');
  }
}

/** Leases its engines in order, each any number of times, and records what is released. */
export class FakeSelector extends EngineSelector {
  readonly requests: SelectRequest[] = [];
  readonly given: string[] = [];
  readonly released: string[] = [];
  /** While set, no engine is leased. */
  hold: Pending<void> | null = null;

  /** The first choice first. */
  readonly engines: FakeEngine[];

  constructor(
    engines: readonly FakeEngine[],
    private readonly clock: Clock = new FakeClock(),
  ) {
    super();
    this.engines = [...engines];
  }

  get held(): number {
    return this.given.length - this.released.length;
  }

  async select(request: SelectRequest): Promise<LeasedEngine> {
    this.requests.push(request);
    if (request.standby) return request.standby;
    if (this.hold) {
      const onLimit = (): Error => new NoEngineError('no engine became free in time', 5);
      await within(this.clock, this.hold.promise, request.deadline - this.clock.now(), onLimit, request.signal);
    }
    const engine = this.engines.find(({ address }) => !request.exclude.includes(address.host));
    if (!engine) throw new NoEngineError('all are taken', 7);
    const { host } = engine.address;
    this.given.push(host);
    return {
      engineId: host,
      containerId: host,
      address: engine.address,
      leaseId: null,
      reason: 'test',
      release: () => {
        this.released.push(host);
        return Promise.resolve();
      },
    };
  }
}

/** Keeps what is written to it; accepts everything at once. */
export class FakeSink implements ViewerSink {
  readonly framing = 'raw';
  readonly chunks: Buffer[] = [];
  bytes = 0;
  ended: ViewerEndReason | null = null;
  cleanEnd = false;
  readonly hooks = { onEnd: (reason: ViewerEndReason) => void (this.ended = reason) };

  write(bytes: Buffer, done: (error?: Error | null) => void): void {
    this.bytes += bytes.length;
    this.chunks.push(Buffer.from(bytes));
    done();
  }

  end(): void {
    this.cleanEnd = true;
  }
}

export const LIMITS = { noResponseTimeoutMs: 20_000, firstByteTimeoutMs: 30_000, startTimeoutMs: 60_000 };
export const LINGER_MS = 5000;
export const EMPTY_TIMEOUT_MS = 60_000;

export function makeSessions<C extends Clock = FakeClock>(
  engineCount = 2,
  clock: C = new FakeClock() as unknown as C,
  settings: Partial<SessionSettings> = {},
  log = SILENT_LOG,
  budgetBytes = 2 ** 30,
) {
  const engines = Array.from({ length: engineCount }, (_, index) => new FakeEngine({ host: `engine-${index + 1}`, port: 6878 }));
  const selector = new FakeSelector(engines, clock);
  // These packets have no keyframe to wait for.
  const broadcast = { ...DEFAULT_BROADCAST_SETTINGS, coldJoinMs: 50 };
  const plan = { bufferBytes: budgetBytes, maxStalledViewers: 1000, memoryBytes: 2 ** 31, neededBytes: 2 ** 30 };
  const registry = new SessionRegistry({
    selector,
    engineApi: (address) => engines.find((engine) => engine.address === address)!,
    startLimit: new EngineStartLimit(clock),
    clock,
    // The test may change its settings later.
    settings: Object.assign(settings, {
      ...LIMITS,
      hedgeAfterMs: 0,
      lingerMs: LINGER_MS,
      maxViewers: 0,
      maxViewersPerStream: 0,
      emptyTimeoutMs: EMPTY_TIMEOUT_MS,
      failoverPauseMs: 250,
      failoverPauseMaxMs: 5000,
      ...settings,
    }),
    broadcast,
    budget: new BufferBudget(plan, { ...broadcast, ringBytes: broadcast.maxBytes }, clock, log),
    random: () => 0.5,
    log,
  });
  return { registry, selector, engines, clock };
}

/** Attaches the viewer as soon as the stream plays; `outcome` shows the result. */
export function watch(subscription: ViewerSubscription) {
  const sink = new FakeSink();
  const viewer = { sink, outcome: 'waiting' as string, error: null as Error | null, leave: () => subscription.leave() };
  void subscription.playing().then(
    () => {
      viewer.outcome = 'playing';
      subscription.attach(sink, {
        onEnd: (reason) => {
          sink.ended = reason;
          subscription.leave();
        },
      });
    },
    (error: Error) => {
      viewer.outcome = 'failed';
      viewer.error = error;
      subscription.leave();
    },
  );
  return viewer;
}
