/** A broadcast that gets a synthetic stream in real time, of an injected clock. */
import { Broadcast, type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from '../../../apps/proxy/src/broadcast/broadcast.js';
import { FakeClock } from '../fake-clock.js';
import { FakeSink, RecordingHooks, SyntheticStream } from './broadcast.fixture.js';

const FRAME_MS = 40;

export class LiveBroadcast {
  readonly clock = new FakeClock();
  readonly stream: SyntheticStream;
  readonly broadcast: Broadcast;
  readonly source: Buffer[] = [];

  constructor(settings: Partial<BroadcastSettings> = {}, stream = new SyntheticStream(), onException?: (error: unknown) => void) {
    this.stream = stream;
    this.broadcast = new Broadcast({ ...DEFAULT_BROADCAST_SETTINGS, ...settings }, this.clock, onException);
  }

  /** Writes frames in real time. */
  play(frames: number): void {
    for (let index = 0; index < frames; index += 1) {
      this.feed(this.stream.frames(1));
      this.clock.advance(FRAME_MS);
    }
  }

  /** Overwrites the bytes after the call: the viewers' stream must not depend on them. */
  feed(bytes: Buffer): void {
    this.source.push(bytes);
    const lent = Buffer.from(bytes);
    this.broadcast.write(lent);
    lent.fill(0xee);
  }

  join(sink = new FakeSink()) {
    const hooks = new RecordingHooks();
    const viewer = this.broadcast.addViewer(sink, hooks);
    return { sink, hooks, viewer };
  }
}
