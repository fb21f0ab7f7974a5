/** The place of one viewer in a session: from its request, through the wait and a possible merge, until it leaves. */
import type { Broadcast, StreamFollower, Viewer, ViewerHooks, ViewerSink } from '../broadcast/broadcast.js';
import { StreamEndedError, ViewerLeftError } from './errors.js';
import { isOpen } from './session-state.js';
import type { StreamSession } from './stream-session.js';

export class ViewerSubscription {
  private viewer: Viewer | null = null;
  private left = false;
  private tellLeft: () => void = () => undefined;
  private readonly leaving = new Promise<void>((resolve) => (this.tellLeft = resolve));

  constructor(private session: StreamSession) {
    session.add(this);
  }

  get streamId(): string {
    return this.session.id;
  }

  /** The id of the viewer in `/ace/status`; null before {@link attach}. */
  get viewerId(): number | null {
    return this.viewer?.id ?? null;
  }

  get sent(): { bytesSent: number; skips: number } {
    const { bytesSent, skips } = this.viewer ?? { bytesSent: 0, skips: 0 };
    return { bytesSent, skips };
  }

  /**
   * Resolves when the stream has packets.
   * @throws the error of a failed start; ViewerLeftError when the viewer leaves first
   */
  async playing(): Promise<void> {
    for (;;) {
      const { session } = this;
      await Promise.race([session.settled, this.leaving]);
      if (this.left) throw new ViewerLeftError();
      if (session !== this.session) continue;
      if (session.startError) throw session.startError;
      return;
    }
  }

  /** Sends the stream to `sink` until the stream ends or {@link leave}. @throws StreamEndedError */
  attach(sink: ViewerSink, hooks: ViewerHooks): void {
    this.viewer = this.openBroadcast().addViewer(sink, hooks);
  }

  /** Passes the chunks of the stream to `follower`, beginning `seconds` ago. Returns the function that ends it. @throws StreamEndedError */
  follow(follower: StreamFollower, seconds: number): () => void {
    const broadcast = this.openBroadcast();
    const tap = broadcast.follow(follower, seconds);
    return () => broadcast.unfollow(tap);
  }

  moveTo(session: StreamSession): void {
    const before = this.session;
    this.session = session;
    session.add(this);
    before.remove(this);
  }

  /** Nothing is written to the viewer after this. */
  leave(): void {
    if (this.left) return;
    this.left = true;
    if (this.viewer) this.session.broadcast?.removeViewer(this.viewer);
    this.session.remove(this);
    this.tellLeft();
  }

  private openBroadcast(): Broadcast {
    const { broadcast, state } = this.session;
    if (broadcast === null || !isOpen(state)) throw new StreamEndedError('the stream has just ended');
    return broadcast;
  }
}
