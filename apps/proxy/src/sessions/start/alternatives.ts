/**
 * The contents that a viewer names for one channel: the requested one and those of `alt=`. A content that is dead, or does not start in time, is left for
 * the next one. A dead content is tried last for a while.
 */
import { BoundedMap, type Clock, CodedError, within } from '@acexy/service-kit/primitives';
import { type RequestedContent, requestKey } from '../../http/content-key.js';
import { EnginesRefusedError, EnginesSilentError, StreamEndedError } from '../errors.js';
import type { SessionRegistry } from '../session-registry.js';
import type { ViewerSubscription } from '../viewer-subscription.js';

/** How long a dead content is tried last. */
export const DEAD_MS = 60_000;
const MAX_DEAD = 1000;

/** The content did not start in time, and the viewer has named another one. */
class SlowContentError extends CodedError {
  readonly code = 'slow_content';

  constructor() {
    super('the content did not start in time');
  }
}

export class Alternatives {
  /** Until when each content counts as dead, by request key. */
  private readonly dead = new BoundedMap<string, number>(MAX_DEAD);

  constructor(
    private readonly registry: SessionRegistry,
    private readonly clock: Clock,
    /** How long a content may take to start when there is another one, in ms. */
    private readonly patienceMs: number,
  ) {
    registry.events.subscribe((event) => {
      if (event.type !== 'closing') return;
      const { end, startError, content } = event;
      if (end.cause === 'source-lost' || (end.cause === 'start-failed' && isDead(startError))) this.remember(content);
    });
  }

  /** `contents` in the order in which they are tried: dead ones last. */
  order(contents: readonly RequestedContent[]): RequestedContent[] {
    const now = this.clock.now();
    const countsAsDead = (content: RequestedContent): boolean => (this.dead.get(requestKey(content)) ?? 0) > now;
    return [...contents.filter((content) => !countsAsDead(content)), ...contents.filter(countsAsDead)];
  }

  /**
   * Subscribes the viewer to the first of `contents` that plays. `onSubscription` gets each subscription; all but the last have ended.
   * @throws the error of the last content: SessionError | NoEngineError; ViewerLeftError when the viewer leaves first
   */
  async subscribe(
    contents: readonly RequestedContent[],
    onSubscription: (subscription: ViewerSubscription) => void,
  ): Promise<ViewerSubscription> {
    const ordered = this.order(contents);
    for (const [index, content] of ordered.entries()) {
      const subscription = this.registry.subscribe(content);
      onSubscription(subscription);
      try {
        await (index < ordered.length - 1 ? this.playingSoon(subscription) : subscription.playing());
        return subscription;
      } catch (error) {
        subscription.leave();
        if (!isDead(error)) throw error;
        if (error instanceof SlowContentError) this.remember(content);
        if (index === ordered.length - 1) throw error;
      }
    }
    throw new TypeError('the list of contents is empty');
  }

  private remember(content: RequestedContent): void {
    this.dead.set(requestKey(content), this.clock.now() + DEAD_MS);
  }

  private playingSoon(subscription: ViewerSubscription): Promise<void> {
    return within(this.clock, subscription.playing(), this.patienceMs, () => new SlowContentError(), new AbortController().signal);
  }
}

/** The content itself failed. Missing engines and a viewer that has left do not count. */
function isDead(error: unknown): boolean {
  return [EnginesRefusedError, EnginesSilentError, SlowContentError, StreamEndedError].some((type) => error instanceof type);
}
