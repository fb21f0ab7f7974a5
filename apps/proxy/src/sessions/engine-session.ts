/** One session on one engine, from its start to its stop. Whatever happens in between: what was started is stopped and the seat is given back, once. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type EngineAddress,
  type EngineClient,
  EngineError,
  EngineStillPreparingError,
  EngineTimeoutError,
  type Playback,
  type PlaybackKind,
} from '@acexy/engine-client';
import type { Log } from '@acexy/service-kit';
import { type Clock, sleep, within } from '@acexy/service-kit/primitives';
import type { LeasedEngine } from '../selection/engine-selector.js';
import type { RequestedContent } from './content-key.js';

export type EngineApi = Pick<EngineClient, 'startPlayback' | 'stop' | 'openHls'> & {
  openMedia(...args: Parameters<EngineClient['openMedia']>): Promise<Readable>;
};
/** Makes the API of the engine at an address. */
export type EngineApiFactory = (address: EngineAddress) => EngineApi;

/** A reply to a start is read on for so long after everybody has lost interest in it: without it the session cannot be stopped. */
const READ_ON_MS = 60_000;
const STOP_TIMEOUT_MS = 3000;
const STOP_TRIES = 2;
const FIRST_REPEAT_MS = 250;
const LAST_REPEAT_MS = 2000;

export type StopOutcome = 'stopped' | 'already_gone' | 'nothing_to_stop' | 'failed';

export interface EngineSessionContext {
  clock: Clock;
  log: Log;
  /** Told once, when the session is over. */
  onClosed(outcome: StopOutcome): void;
}

export class EngineSession {
  private readonly life = new AbortController();
  private readonly readOn = new AbortController();
  private started: Promise<Playback> | null = null;
  private closing: Promise<void> | null = null;
  private known: Playback | null = null;

  constructor(
    readonly seat: LeasedEngine,
    private readonly api: EngineApi,
    private readonly context: EngineSessionContext,
  ) {}

  /** What the engine answered; null before it did. */
  get playback(): Playback | null {
    return this.known;
  }

  /**
   * Asks the engine to start. The wait ends with the limit or the signal; the question does not, see {@link close}.
   * @param limitMs for the engine's JSON reply
   */
  start(content: RequestedContent, limitMs: number, signal: AbortSignal): Promise<Playback> {
    const { clock, log } = this.context;
    const askedAt = clock.now();
    const what = `start on ${this.seat.address.host}:${this.seat.address.port}`;
    this.started = this.begin(content, limitMs + READ_ON_MS).then((playback) => {
      log.debug('engine answered the start', {
        engine: this.seat.engineId,
        reply_ms: Math.round(clock.now() - askedAt),
        infohash: playback.infohash,
        playback_session_id: playback.playbackSessionId,
        command_url: playback.commandUrl,
      });
      return (this.known = playback);
    });
    return within(clock, this.started, limitMs, () => new EngineTimeoutError(what, 'reply', limitMs), signal);
  }

  /**
   * The media of the started session. While the engine says that it is still preparing it is asked again, until the deadline.
   * @param deadline moment of the clock
   */
  async openMedia(deadline: number, signal: AbortSignal): Promise<Readable> {
    const { clock, log } = this.context;
    const openedAt = clock.now();
    if (!this.known) throw new TypeError('the session has not been started');
    for (let delay = FIRST_REPEAT_MS; ; delay = Math.min(delay * 2, LAST_REPEAT_MS)) {
      const left = Math.max(1, deadline - clock.now());
      try {
        const opening = this.open(this.known, left);
        // Media that come when nobody waits any more end with an error by our own abort.
        const owned = opening.then((media) => media.on('error', () => undefined));
        const media = await within(clock, owned, left, () => new EngineTimeoutError('media', 'headers', left), signal);
        log.debug('media opened', { engine: this.seat.engineId, open_ms: Math.round(clock.now() - openedAt) });
        return media;
      } catch (error) {
        if (!(error instanceof EngineStillPreparingError) || clock.now() + delay >= deadline) throw error;
        await sleep(clock, delay, signal);
      }
    }
  }

  /**
   * Ends the session: the media are cut, a start under way is read on until it can be stopped, the engine is told to stop, the seat is given
   * back. Never rejects; the second call waits for the first.
   */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Gives up reading on: the proxy has no more time. */
  abandon(): void {
    this.readOn.abort(new Error('the proxy is shutting down'));
  }

  /** As a transport stream; an encrypted content, which the engine gives in HLS only, as that: by the same player, so that it is one session there. */
  private async begin(content: RequestedContent, timeoutMs: number): Promise<Playback> {
    // The engine stops what the same player watched before, so every start is a player of its own.
    const pid = randomUUID();
    const params = { ...content.hints, ...content.variant };
    const ask = (kind: PlaybackKind): Promise<Playback> =>
      this.api.startPlayback({ kind, selector: content.selector, pid, params, timeoutMs, signal: this.readOn.signal });
    const playback = await ask('ts');
    if (!playback.isEncrypted) return playback;
    this.context.log.info('the content is encrypted, the engine is asked for its HLS', { engine: this.seat.engineId });
    try {
      return await ask('hls');
    } catch (error) {
      await this.api.stop(playback, STOP_TIMEOUT_MS).catch((problem: unknown) => {
        this.context.log.warn('engine could not be told to stop', { engine: this.seat.engineId, error: problem });
      });
      throw error;
    }
  }

  private open({ kind, playbackUrl }: Playback, limitMs: number): Promise<Readable> {
    const { signal } = this.life;
    return kind === 'hls'
      ? this.api.openHls(playbackUrl, { signal, firstPlaylistMs: limitMs })
      : // Whatever takes the media copies what it keeps (see PacketRunListener).
        this.api.openMedia(playbackUrl, { signal, headersTimeoutMs: limitMs, shareBuffer: true });
  }

  private async end(): Promise<void> {
    this.life.abort(new Error('the session is over'));
    const outcome = await this.stopEngine();
    await this.seat.release();
    this.context.onClosed(outcome);
  }

  private async stopEngine(): Promise<StopOutcome> {
    const { log } = this.context;
    if (!this.started) return 'nothing_to_stop';
    let playback: Playback;
    try {
      playback = await this.started;
    } catch (error) {
      // Refused or never answered; in the second case the engine ends an unread session by itself.
      log.debug('nothing to stop on the engine', { engine: this.seat.engineId, error });
      return 'nothing_to_stop';
    }
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.api.stop(playback, STOP_TIMEOUT_MS);
        log.info('engine session stopped', { engine: this.seat.engineId, outcome });
        return outcome === 'stopped' ? 'stopped' : 'already_gone';
      } catch (error) {
        if (error instanceof EngineError && attempt < STOP_TRIES) continue;
        log.warn('engine could not be told to stop', { engine: this.seat.engineId, error });
        return 'failed';
      }
    }
  }
}
