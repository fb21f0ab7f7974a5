/**
 * The names that a viewer gives for one channel, the one it asks for first and `alt=…` after it. A content that is dead, or does not begin in time while
 * there is another one, is left for the next; what was found dead is the last choice for a while.
 */
import type { Clock } from '@acexy/service-kit/primitives';
import type { ViewerSubscription } from '../viewer-subscription.js';
import { type RequestedContent, requestKey } from '../content-key.js';
import { EnginesRefusedError, EnginesSilentError, StreamEndedError } from '../errors.js';
import type { SessionRegistry } from '../session-registry.js';

/** How long a dead content is the last choice (ms). */
export const DEAD_MS = 60_000;
/** Dead contents that are remembered. */
const MAX_DEAD = 1000;

/** It did not begin while there is another name for it. */
class SlowContentError extends Error {
  readonly code = 'slow_content';

  constructor() {
    super('the content did not begin in time');
    this.name = 'SlowContentError';
  }
}

export class Alternatives {
  /** Keys of contents, the first found dead first, and until when. */
  private readonly dead = new Map<string, number>();

  constructor(
    private readonly registry: SessionRegistry,
    private readonly clock: Clock,
    /** How long a content is waited for while there is another name, in ms. */
    private readonly patienceMs: number,
  ) {
    registry.listen({
      sessionClosing: ({ content, ending, failure }) => {
        if (ending?.cause === 'source-lost' || (ending?.cause === 'start-failed' && isDeath(failure))) this.remember(content);
      },
    });
  }

  /** `contents` in the order in which they are tried: those not known to be dead first. */
  order(contents: readonly RequestedContent[]): RequestedContent[] {
    const now = this.clock.now();
    const isDead = (content: RequestedContent): boolean => (this.dead.get(requestKey(content)) ?? 0) > now;
    return [...contents.filter((content) => !isDead(content)), ...contents.filter(isDead)];
  }

  /**
   * Takes the viewer in with the first of `contents` that plays. `onAdmission` is given each stay; all but the last are left again.
   * @throws what the last one failed with: SessionError | NoEngineError; ViewerLeftError when the viewer leaves first
   */
  async subscribe(
    contents: readonly RequestedContent[],
    onAdmission: (admission: ViewerSubscription) => void,
  ): Promise<ViewerSubscription> {
    const ordered = this.order(contents);
    for (const [index, content] of ordered.entries()) {
      const admission = this.registry.subscribe(content);
      onAdmission(admission);
      try {
        await (index < ordered.length - 1 ? this.playingSoon(admission) : admission.playing());
        return admission;
      } catch (error) {
        admission.leave();
        if (!isDeath(error)) throw error;
        if (error instanceof SlowContentError) this.remember(content);
        if (index === ordered.length - 1) throw error;
      }
    }
    throw new TypeError('there is no content to choose from');
  }

  private remember(content: RequestedContent): void {
    const key = requestKey(content);
    this.dead.delete(key);
    this.dead.set(key, this.clock.now() + DEAD_MS);
    if (this.dead.size <= MAX_DEAD) return;
    const [oldest] = this.dead.keys();
    this.dead.delete(oldest);
  }

  private async playingSoon(admission: ViewerSubscription): Promise<void> {
    let timer: unknown;
    const slow = new Promise<never>((_resolve, reject) => {
      timer = this.clock.setTimeout(() => reject(new SlowContentError()), this.patienceMs);
    });
    try {
      await Promise.race([admission.playing(), slow]);
    } finally {
      this.clock.clearTimeout(timer);
    }
  }
}

/** It is the content that fails, and not the want of an engine, or the viewer. */
function isDeath(error: unknown): boolean {
  return (
    error instanceof EnginesRefusedError ||
    error instanceof EnginesSilentError ||
    error instanceof SlowContentError ||
    error instanceof StreamEndedError
  );
}
