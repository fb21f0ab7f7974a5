/** Fakes at the edges of the sessions: engines, a selector and viewers, all driven by the test. */
import { PassThrough, type Readable } from 'node:stream';
import { EngineRefusedError } from '@acexy/engine-client';
import type { EngineAddress, Playback, StartPlayback } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { DEFAULT_BROADCAST_SETTINGS, type ViewerEndReason, type ViewerSink } from '../../../apps/proxy/src/broadcast/broadcast.js';
import type { Clock } from '@acexy/service-kit/primitives';
import { FakeClock } from '../fake-clock.js';
import { type LeasedEngine, EngineSelector, NoEngineError, type SelectRequest } from '../../../apps/proxy/src/selection/engine-selector.js';
import type { ViewerSubscription } from '../../../apps/proxy/src/sessions/viewer-subscription.js';
import type { RequestedContent } from '../../../apps/proxy/src/sessions/content-key.js';
import type { EngineApi } from '../../../apps/proxy/src/sessions/engine-session.js';
import { EngineStartLock } from '../../../apps/proxy/src/sessions/start/engine-start-lock.js';
import { SessionRegistry } from '../../../apps/proxy/src/sessions/session-registry.js';

export const CONTENT_ID = 'a'.repeat(40);
export const INFOHASH = 'b'.repeat(40);

export function byId(value = CONTENT_ID, variant: Record<string, string> = {}): RequestedContent {
  return { selector: { type: 'content_id', value }, variant, hints: {} };
}

export function byInfohash(value = INFOHASH, variant: Record<string, string> = {}): RequestedContent {
  return { selector: { type: 'infohash', value }, variant, hints: {} };
}

/** Whole packets with no meaning to a decoder; enough of them for the aligner to trust them. */
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

export type StartBehaviour = 'plays' | 'waits' | Error;
export type MediaBehaviour = 'flows' | 'silent' | 'waits' | Error;

/** One engine; every call of it is on record. */
export class FakeEngine implements EngineApi {
  start: StartBehaviour = 'plays';
  media: MediaBehaviour | MediaBehaviour[] = 'flows';
  infohash: string | null = INFOHASH;
  encrypted = false;
  stopFails: Error | null = null;
  readonly starts: StartPlayback[] = [];
  readonly replies: Pending<Playback>[] = [];
  private readonly answered = new Set<number>();
  /** Contents that it refuses, and those of which it says nothing. */
  readonly refused = new Set<string>();
  readonly unanswered = new Set<string>();
  readonly mediaStreams: PassThrough[] = [];
  readonly stops: string[] = [];
  opened = 0;

  constructor(readonly address: EngineAddress) {}

  /** Sessions that were begun and not stopped. */
  get running(): number {
    return this.opened - this.stops.length;
  }

  startPlayback(request: StartPlayback): Promise<Playback> {
    this.starts.push(request);
    if (this.refused.has(request.selector.value)) return Promise.reject(new EngineRefusedError('start', 'failed to load content', 200));
    if (this.start instanceof Error) return Promise.reject(this.start);
    const reply = new Pending<Playback>();
    this.replies.push(reply);
    request.signal?.addEventListener('abort', () => reply.reject(request.signal?.reason as Error));
    if (this.start === 'plays' && !this.unanswered.has(request.selector.value)) this.answer();
    return reply.promise;
  }

  /** The reply to the latest or the given start. */
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
      infohash: this.infohash,
      playbackSessionId: session,
      isLive: true,
      isEncrypted: this.encrypted,
    });
  }

  openMedia(_url: string, { signal }: { signal?: AbortSignal }): Promise<Readable> {
    const behaviour = Array.isArray(this.media) ? (this.media.length > 1 ? this.media.shift()! : this.media[0]) : this.media;
    if (behaviour instanceof Error) return Promise.reject(behaviour);
    if (behaviour === 'waits') {
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    }
    const media = new PassThrough();
    signal?.addEventListener('abort', () => media.destroy(signal.reason as Error));
    this.mediaStreams.push(media);
    if (behaviour === 'flows') media.write(packets());
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

/** Gives out its engines in order, each as often as it is asked, and keeps count of what comes back. */
export class FakeSelector extends EngineSelector {
  readonly requests: SelectRequest[] = [];
  readonly given: string[] = [];
  readonly released: string[] = [];
  /** While set, nobody is given an engine. */
  hold: Pending<void> | null = null;

  /** Those to give out, the first choice first. */
  readonly engines: FakeEngine[];

  constructor(engines: readonly FakeEngine[]) {
    super();
    this.engines = [...engines];
  }

  get held(): number {
    return this.given.length - this.released.length;
  }

  async select(request: SelectRequest): Promise<LeasedEngine> {
    this.requests.push(request);
    if (request.reserved) return request.reserved;
    if (this.hold) {
      await Promise.race([
        this.hold.promise,
        new Promise((_resolve, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error))),
      ]);
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

/** Keeps what it is sent; takes everything at once. */
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

export const LIMITS = { noResponseTimeoutMs: 20_000, firstByteTimeoutMs: 30_000, startTimeoutMs: 60_000, hedgeAfterMs: 0 };
export const LINGER_MS = 5000;
export const EMPTY_TIMEOUT_MS = 60_000;

export function makeSessions<C extends Clock = FakeClock>(
  engineCount = 2,
  clock: C = new FakeClock() as unknown as C,
  { emptyTimeoutMs = EMPTY_TIMEOUT_MS, viewerLimits = { maxViewers: 0, maxViewersPerStream: 0 }, hedgeAfterMs = 0 } = {},
) {
  const engines = Array.from({ length: engineCount }, (_, index) => new FakeEngine({ host: `engine-${index + 1}`, port: 6878 }));
  const selector = new FakeSelector(engines);
  const lookups: string[] = [];
  const registry = new SessionRegistry(
    {
      selector,
      engineApi: (address) => engines.find((engine) => engine.address === address)!,
      starts: new EngineStartLock(clock),
      lookUpInfohash: (address) => {
        lookups.push(address.host);
        return Promise.resolve(engines.find((engine) => engine.address === address)!.infohash);
      },
      clock,
      limits: { ...LIMITS, hedgeAfterMs },
      // These packets have no keyframe to wait for.
      broadcast: { ...DEFAULT_BROADCAST_SETTINGS, coldJoinMs: 50 },
      lingerMs: LINGER_MS,
      viewerLimits,
      emptyTimeoutMs,
      failoverPauseMs: 250,
      failoverPauseMaxMs: 5000,
      random: () => 0.5,
      log: SILENT_LOG,
    },
    SILENT_LOG,
  );
  return { registry, selector, engines, clock, lookups };
}

/** Attaches as soon as the stream plays; what the wait came to shows in `outcome`. */
export function watch(admission: ViewerSubscription) {
  const sink = new FakeSink();
  const viewer = { sink, outcome: 'waiting' as string, error: null as Error | null, leave: () => admission.leave() };
  void admission.playing().then(
    () => {
      viewer.outcome = 'playing';
      admission.attach(sink, {
        onEnd: (reason) => {
          sink.ended = reason;
          admission.leave();
        },
      });
    },
    (error: Error) => {
      viewer.outcome = 'failed';
      viewer.error = error;
      admission.leave();
    },
  );
  return viewer;
}
