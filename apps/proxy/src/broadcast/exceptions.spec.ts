/** Exceptions are injected where the code of one source or one viewer runs: each ends that source or viewer and nothing else. */
import { PacketAligner } from '@acexy/mpegts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  FakeSink,
  RecordingHooks,
  SyntheticStream,
  expectCleanStart,
  expectContinuousStream,
} from '../../../../test/doubles/proxy/broadcast.fixture.js';
import { LiveBroadcast } from '../../../../test/doubles/proxy/live-broadcast.fixture.js';
import type { ViewerEndReason } from './broadcast.js';
import { StreamBuffer } from './buffer/stream-buffer.js';
import { ViewerRewriter } from './viewers/viewer-rewriter.js';

afterEach(() => void vi.restoreAllMocks());

describe('an exception', () => {
  /** Three viewers; the stream goes on after `breakOne`, which breaks the first of them. */
  function withBrokenViewer(breakOne: (live: LiveBroadcast, hooks: RecordingHooks, sink: FakeSink) => void) {
    const reported: unknown[] = [];
    const live = new LiveBroadcast({}, new SyntheticStream(), (error) => reported.push(error));
    live.play(60);
    const sink = new FakeSink();
    const hooks = new RecordingHooks();
    breakOne(live, hooks, sink);
    live.broadcast.addViewer(sink, hooks);
    const others = [live.join(), live.join()];
    const taken: number[] = [];
    live.broadcast.follow({ onChunk: ({ index }) => taken.push(index), onEnd: () => undefined }, 0);
    live.play(40);
    live.clock.advance(3000); // null packets during silence
    live.play(10);
    live.broadcast.end();
    for (const { sink: other, hooks: theirs } of others) {
      expect(theirs.ends).toEqual(['source-ended']);
      expectCleanStart(expectContinuousStream(other.bytes).filter(({ pid }) => pid !== 0x1fff));
    }
    expect(taken.length).toBeGreaterThan(5);
    expect([live.broadcast.snapshot().viewers, live.clock.pending]).toEqual([[], 0]);
    return { hooks, reported };
  }
  const broken = new Error('broken');
  const fail = (): never => {
    throw broken;
  };

  it.each<[string, ViewerEndReason, (live: LiveBroadcast, hooks: RecordingHooks, sink: FakeSink) => void]>([
    ['at its first byte', 'failed', (_live, hooks) => (hooks.onFirstByte = fail)],
    ['in a write', 'write-failed', (_live, _hooks, sink) => (sink.write = fail)],
    [
      'in its copy of the stream',
      'failed',
      (live) => {
        vi.spyOn(ViewerRewriter.prototype, 'copy').mockImplementationOnce(fail);
        live.play(1);
      },
    ],
    [
      'when it skips',
      'failed',
      (live, hooks, sink) => {
        sink.block();
        hooks.onSkip = fail;
        live.clock.setTimeout(() => (live.play(1600), sink.unblock()), 800);
      },
    ],
  ])('while one viewer is handled, %s, ends that viewer and no other', (_where, reason, breakOne) => {
    const { hooks, reported } = withBrokenViewer(breakOne);
    expect([hooks.ends, reported]).toEqual([[reason], []]);
  });

  it('in the last hook of a viewer is reported and affects nobody', () => {
    const { reported } = withBrokenViewer((_live, hooks, sink) => {
      hooks.onEnd = fail;
      sink.write = fail;
    });
    expect(reported).toEqual([broken]);
  });

  it('in a follower ends that follower and no viewer', () => {
    const { reported } = withBrokenViewer((live, hooks) => {
      live.broadcast.follow({ onChunk: fail, onEnd: fail }, 0);
      hooks.onFirstByte = fail;
    });
    expect(reported).toEqual([broken]);
  });

  it('in a timer is reported, and the stream goes on', () => {
    const { reported } = withBrokenViewer((live, hooks) => {
      vi.spyOn(StreamBuffer.prototype, 'restartPendingTime').mockImplementationOnce(fail);
      live.clock.advance(300);
      hooks.onFirstByte = fail;
    });
    expect(reported).toEqual([broken]);
  });

  it('at the end of the source is reported, and every viewer gets its clean end', () => {
    const reported: unknown[] = [];
    const live = new LiveBroadcast({}, new SyntheticStream(), (error) => reported.push(error));
    live.play(60);
    const { hooks } = live.join();
    vi.spyOn(PacketAligner.prototype, 'flush').mockImplementationOnce(fail);
    live.broadcast.end();
    expect([hooks.ends, reported]).toEqual([['source-ended'], [broken]]);
  });

  it('while packets are taken is thrown to the source, and the stream can still be ended', () => {
    const live = new LiveBroadcast();
    live.play(60);
    const { hooks } = live.join();
    vi.spyOn(StreamBuffer.prototype, 'take').mockImplementationOnce(() => {
      live.broadcast.end(); // as a viewer's hook may do
      fail();
    });
    expect(() => live.play(1)).toThrow(broken);
    expect(hooks.ends).toEqual(['source-ended']);
  });
});
