/** One session on one engine. However it ends, the engine session is stopped and the lease released exactly once. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type ContentDescription,
  type EngineAddress,
  type EngineClient,
  EngineError,
  EngineStillPreparingError,
  EngineTimeoutError,
  type Playback,
  type PlaybackKind,
} from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { type Clock, backoffMs, sleep, within } from '@acexy/service-kit/primitives';
import type { LeasedEngine } from '../selection/engine-selector.js';
import type { RequestedContent } from '../http/content-key.js';
import type { StopOutcome } from './session-events.js';

export type EngineApi = Pick<EngineClient, 'startPlayback' | 'stop' | 'openHls' | 'describe'> & {
  openMedia(...args: Parameters<EngineClient['openMedia']>): Promise<Readable>;
};
export type EngineApiFactory = (address: EngineAddress) => EngineApi;

/** How long the reply to a start is awaited after the session no longer needs it: without the reply the engine session cannot be stopped. */
const LATE_REPLY_MS = 60_000;
const STOP_TIMEOUT_MS = 3000;
const STOP_ATTEMPTS = 2;
const STILL_PREPARING = { firstMs: 250, longestMs: 2000 };

export interface EngineSessionContext {
  clock: Clock;
  log: Log;
  /** Called once, when the engine is stopped and its lease released. */
  onClosed(outcome: StopOutcome): void;
}

export class EngineSession {
  private readonly mediaAbort = new AbortController();
  private readonly startAbort = new AbortController();
  private description: Promise<ContentDescription | null> | null = null;
  private started: Promise<Playback> | null = null;
  private closing: Promise<void> | null = null;
  private answer: Playback | null = null;

  constructor(
    readonly leased: LeasedEngine,
    private readonly api: EngineApi,
    private readonly context: EngineSessionContext,
  ) {}

  get engineId(): string {
    return this.leased.engineId;
  }

  /** How far its start is. 0: the engine has not been asked; 1: it has; 2: it has answered. */
  get progress(): number {
    if (this.answer !== null) return 2;
    return this.started === null ? 0 : 1;
  }

  /** The engine's answer to the start; null before it. */
  get playback(): Playback | null {
    return this.answer;
  }

  /** What the engine knows of its content, without a start; null when it does not know it, or the session is over. Asks only once. */
  describe(content: RequestedContent): Promise<ContentDescription | null> {
    this.description ??= this.lookUp(content);
    return this.description;
  }

  /**
   * Starts the content on the engine. Waiting ends with the limit or the signal; the request itself goes on, see {@link close}.
   * @param limitMs limit of the engine's JSON reply
   */
  start(content: RequestedContent, limitMs: number, signal: AbortSignal): Promise<Playback> {
    const { clock, log } = this.context;
    const requestedAt = clock.now();
    const { host, port } = this.leased.address;
    this.started = this.request(content, limitMs + LATE_REPLY_MS).then((playback) => {
      log.debug('engine accepted the start', {
        engine_id: this.engineId,
        reply_ms: Math.round(clock.now() - requestedAt),
        infohash: playback.infohash,
        playback_session_id: playback.playbackSessionId,
        command_url: playback.commandUrl,
      });
      return (this.answer = playback);
    });
    return within(clock, this.started, limitMs, () => new EngineTimeoutError(`start on ${host}:${port}`, 'reply', limitMs), signal);
  }

  /**
   * The media of the started session. Repeats the request until the deadline while the engine answers that it is still preparing.
   * @param deadline time of the clock, in ms
   */
  async openMedia(deadline: number, signal: AbortSignal): Promise<Readable> {
    const { clock, log } = this.context;
    const openedAt = clock.now();
    if (!this.answer) throw new TypeError('the session has not been started');
    for (let attempt = 1; ; attempt++) {
      const left = Math.max(1, deadline - clock.now());
      try {
        // Media that arrive after the wait ended are destroyed by our abort, and that raises an error event.
        const opening = this.open(this.answer, left).then((media) => media.on('error', () => undefined));
        const media = await within(clock, opening, left, () => new EngineTimeoutError('media', 'headers', left), signal);
        log.debug('media opened', { engine_id: this.engineId, open_ms: Math.round(clock.now() - openedAt) });
        return media;
      } catch (error) {
        const delayMs = backoffMs(attempt, STILL_PREPARING);
        if (!(error instanceof EngineStillPreparingError) || clock.now() + delayMs >= deadline) throw error;
        await sleep(clock, delayMs, signal);
      }
    }
  }

  /** Ends the media, waits for the reply to a pending start, stops the engine and releases the lease. Never rejects; a second call waits for the first. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Stops waiting for the reply to a start: the proxy has no more time. */
  abandon(): void {
    this.startAbort.abort(new Error('the proxy is shutting down'));
  }

  private async lookUp({ selector }: RequestedContent): Promise<ContentDescription | null> {
    const { signal } = this.mediaAbort;
    try {
      return await this.api.describe(selector, signal);
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof EngineError)) throw error;
      // The start shows what is wrong.
      this.context.log.debug('content lookup failed', { engine_id: this.engineId, key: selector.value, error: error.message });
      return null;
    }
  }

  /** Requests a transport stream. Encrypted contents exist as HLS only: they are requested again for the same player, so that the engine keeps one session. */
  private async request(content: RequestedContent, timeoutMs: number): Promise<Playback> {
    // An engine stops what the same player watched before, so every start has its own player id.
    const pid = randomUUID();
    const params = { ...content.hints, ...content.variant };
    const ask = (kind: PlaybackKind): Promise<Playback> =>
      this.api.startPlayback({ kind, selector: content.selector, pid, params, timeoutMs, signal: this.startAbort.signal });
    const playback = await ask('ts');
    if (!playback.isEncrypted) return playback;
    this.context.log.info('content is encrypted, requesting HLS', { engine_id: this.engineId });
    try {
      return await ask('hls');
    } catch (error) {
      await this.api.stop(playback, STOP_TIMEOUT_MS).catch((problem: unknown) => this.warnStopFailed(problem));
      throw error;
    }
  }

  private open({ kind, playbackUrl }: Playback, limitMs: number): Promise<Readable> {
    const { signal } = this.mediaAbort;
    return kind === 'hls'
      ? this.api.openHls(playbackUrl, { signal, firstPlaylistMs: limitMs })
      : // The reader of the media copies what it keeps (see PacketRunListener).
        this.api.openMedia(playbackUrl, { signal, headersTimeoutMs: limitMs, shareBuffer: true });
  }

  private async end(): Promise<void> {
    this.mediaAbort.abort(new Error('the session is over'));
    const outcome = await this.stopEngine();
    await this.leased.release();
    this.context.onClosed(outcome);
  }

  private async stopEngine(): Promise<StopOutcome> {
    const { log } = this.context;
    if (!this.started) return 'nothing_to_stop';
    let playback: Playback;
    try {
      playback = await this.started;
    } catch (error) {
      // The engine refused or never answered. It ends an unread session on its own.
      log.debug('no engine session to stop', { engine_id: this.engineId, error });
      return 'nothing_to_stop';
    }
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.api.stop(playback, STOP_TIMEOUT_MS);
        log.info('engine session stopped', { engine_id: this.engineId, outcome });
        return outcome;
      } catch (error) {
        if (error instanceof EngineError && attempt < STOP_ATTEMPTS) continue;
        this.warnStopFailed(error);
        return 'failed';
      }
    }
  }

  private warnStopFailed(error: unknown): void {
    this.context.log.warn('engine stop failed', { engine_id: this.engineId, error });
  }
}
