/** One viewer's stay with a stream: from its request, through the wait and a merge, to its leaving. */
import type { StreamFollower, Viewer, ViewerHooks, ViewerSink } from '../broadcast/broadcast.js';
import { StreamEndedError, ViewerLeftError } from './errors.js';
import { isOpen } from './session-state.js';
import type { StreamSession } from './stream-session.js';

export class ViewerSubscription {
  private viewer: Viewer | null = null;
  private left = false;
  private tellLeft: () => void = () => undefined;
  private readonly gone = new Promise<void>((resolve) => (this.tellLeft = resolve));

  constructor(private session: StreamSession) {
    session.enter(this);
  }

  get streamId(): string {
    return this.session.id;
  }

  /** By which `/ace/status` names the viewer among those of its stream; null before {@link attach}. */
  get viewerId(): number | null {
    return this.viewer?.id ?? null;
  }

  /** What was written to the viewer, and how often it skipped a part. */
  get sent(): { bytesSent: number; skips: number } {
    const { bytesSent, skips } = this.viewer ?? { bytesSent: 0, skips: 0 };
    return { bytesSent, skips };
  }

  /**
   * Resolves when there are packets to be had.
   * @throws what the start failed with; ViewerLeftError when the viewer leaves first
   */
  async playing(): Promise<void> {
    for (;;) {
      const { session } = this;
      await Promise.race([session.settled, this.gone]);
      if (this.left) throw new ViewerLeftError();
      if (session !== this.session) continue;
      if (session.failure) throw session.failure;
      return;
    }
  }

  /** Sends the stream to `sink` until it ends or {@link leave}. @throws StreamEndedError when the stream is over already */
  attach(sink: ViewerSink, hooks: ViewerHooks): void {
    const { broadcast, state } = this.session;
    if (broadcast === null || !isOpen(state)) throw new StreamEndedError('the stream has just ended');
    this.viewer = broadcast.addViewer(sink, hooks);
  }

  /**
   * Hands the steps of the stream to `follower`, from `seconds` back on. Returns how to let go of it.
   * @throws StreamEndedError when the stream is over already
   */
  follow(follower: StreamFollower, seconds: number): () => void {
    const { broadcast, state } = this.session;
    if (broadcast === null || !isOpen(state)) throw new StreamEndedError('the stream has just ended');
    const tap = broadcast.follow(follower, seconds);
    return () => broadcast.unfollow(tap);
  }

  /** The other session plays the same content. */
  moveTo(other: StreamSession): void {
    const before = this.session;
    this.session = other;
    other.enter(this);
    before.exit(this);
  }

  /** The viewer is gone; nothing is written to it any more. */
  leave(): void {
    if (this.left) return;
    this.left = true;
    if (this.viewer) this.session.broadcast?.removeViewer(this.viewer);
    this.session.exit(this);
    this.tellLeft();
  }
}
