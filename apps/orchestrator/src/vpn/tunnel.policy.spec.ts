import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DOUBT_TRIAL_AFTER_MS,
  DOUBT_MS,
  isConnected,
  look,
  mayStart,
  type ReportedStatus,
  TRIAL_AFTER_MS,
  TRIAL_MS,
  type TunnelEvent,
  type TunnelState,
  UNSEEN,
} from './tunnel.policy.js';

const LIFE = 'gluetun@1';
const nobody = { connected: 0, cutOff: 0 };

/** A tunnel that is looked at once a second. */
class Watched {
  state: TunnelState = UNSEEN;
  readonly events: TunnelEvent[] = [];
  private now = 1_000_000;

  sees(own: ReportedStatus, witnesses: Partial<typeof nobody> = {}, life: string | null = LIFE): this {
    const { state, events } = look(this.state, { at: this.now, own, life, witnesses: { ...nobody, ...witnesses } });
    this.state = state;
    this.events.push(...events);
    this.now += 1000;
    return this;
  }

  seesFor(seconds: number, own: ReportedStatus, witnesses: Partial<typeof nobody> = {}): this {
    for (let second = 0; second < seconds; second++) this.sees(own, witnesses);
    return this;
  }

  get phase(): string {
    return this.state.phase;
  }
}

describe('a tunnel', () => {
  it('is up when its container is well and nobody lives behind it yet', () => {
    expect(new Watched().sees('starting').sees('good').phase).toBe('up');
  });

  it('is up when an engine reaches the Internet, whatever a broken health check says', () => {
    expect(new Watched().sees('good').seesFor(60, 'bad', { connected: 1, cutOff: 3 }).phase).toBe('up');
  });

  it('is down within three looks when two engines do not reach the Internet, though its container is healthy', () => {
    const watched = new Watched().sees('good', { connected: 2 }).seesFor(3, 'good', { cutOff: 2 });
    expect(watched.phase).toBe('down');
    expect(watched.events.at(-1)).toEqual({ type: 'disconnected', reason: '2 engines do not reach the Internet' });
  });

  it('is not down after a single look', () => {
    expect(isConnected(new Watched().sees('good').sees('good', { cutOff: 5 }).state)).toBe(true);
  });

  it('is never down for one engine alone', () => {
    const watched = new Watched().sees('good').seesFor(600, 'good', { cutOff: 1 });
    expect(isConnected(watched.state)).toBe(true);
    expect(watched.phase).toBe('doubtful');
  });

  it('is down for one engine and its own word', () => {
    expect(new Watched().sees('good').seesFor(3, 'bad', { cutOff: 1 }).phase).toBe('down');
  });

  it('comes back with the first engine that reaches the Internet', () => {
    const watched = new Watched().sees('good').seesFor(30, 'bad', { cutOff: 3 }).sees('bad', { connected: 1, cutOff: 2 });
    expect(watched.phase).toBe('up');
    expect(watched.events.at(-1)).toEqual({ type: 'connected', outageMs: 29_000 });
  });

  it('comes back by its own word when nobody is left behind it', () => {
    expect(new Watched().sees('good').seesFor(10, 'bad').sees('good').phase).toBe('up');
  });

  it('is gone at once with its container, whatever engines still say', () => {
    expect(new Watched().sees('good').sees('stopped', { connected: 1 }).phase).toBe('stopped');
    expect(new Watched().sees('good').sees('missing', { connected: 1 }, null).phase).toBe('missing');
  });

  it('is as it was while nobody tells anything', () => {
    expect(new Watched().sees('good').seesFor(100, 'unknown').phase).toBe('up');
    expect(new Watched().seesFor(100, 'unknown').phase).toBe('starting');
  });

  it('tells of a container that was restarted or made anew', () => {
    const watched = new Watched().sees('good').sees('stopped').sees('starting', {}, 'gluetun@2').sees('good', {}, 'gluetun@2');
    expect(watched.events.map(({ type }) => type)).toEqual(['connected', 'disconnected', 'reborn', 'connected']);
  });
});

describe('starting engines behind a tunnel', () => {
  const stateOf = (own: ReportedStatus, cutOff: number): TunnelState => new Watched().sees('good').seesFor(5, own, { cutOff }).state;

  it('is free while it is up, and refused while its own word is that it is down', () => {
    const up = stateOf('good', 0);
    expect(mayStart(up, 'good', up.since, up.since)).toBe(true);
    const down = stateOf('bad', 2);
    expect(mayStart(down, 'bad', down.since + TRIAL_MS, null)).toBe(false);
    expect(mayStart(UNSEEN, 'unknown', TRIAL_MS, null)).toBe(false);
  });

  it('is tried once a minute while only engines speak against it, so that a bad one cannot stand in the way of good ones', () => {
    for (const cutOff of [1, 2]) {
      const state = stateOf('good', cutOff);
      const now = state.since + TRIAL_AFTER_MS;
      const tried = [null, now, now - TRIAL_MS + 1, now - TRIAL_MS];
      expect(tried.map((at) => mayStart(state, 'good', now, at))).toEqual([true, false, false, true]);
    }
  });

  it.each([
    ['goes down', 'down', 2, TRIAL_AFTER_MS],
    ['comes into doubt', 'doubtful', 1, DOUBT_TRIAL_AFTER_MS],
  ] as const)('is not tried at once when it %s, so that a short flap starts nothing', (_, phase, cutOff, afterMs) => {
    const state = stateOf('good', cutOff);
    expect(state.phase).toBe(phase);
    expect([0, afterMs - 1, afterMs].map((ms) => mayStart(state, 'good', state.since + ms, null))).toEqual([false, false, true]);
  });
});

describe('thousands of histories of a tunnel', () => {
  const sighting = fc.record({
    own: fc.constantFrom<ReportedStatus>('missing', 'stopped', 'starting', 'good', 'bad', 'unknown'),
    life: fc.constantFrom('a@1', 'a@2', 'b@1'),
    stepMs: fc.integer({ min: 200, max: 10_000 }),
    connected: fc.constantFrom(0, 0, 1, 3),
    cutOff: fc.constantFrom(0, 0, 1, 2, 5),
  });
  const histories = (check: (before: TunnelState, seen: Parameters<typeof look>[1], after: ReturnType<typeof look>) => void): void => {
    fc.assert(
      fc.property(fc.array(sighting, { minLength: 1, maxLength: 60 }), (steps) => {
        let state = UNSEEN;
        let at = 0;
        for (const { own, life, stepMs, connected, cutOff } of steps) {
          at += stepMs;
          const gone = own === 'missing' || own === 'stopped';
          const seen = { at, own, life: own === 'missing' ? null : life, witnesses: gone ? nobody : { connected, cutOff } };
          const after = look(state, seen);
          check(state, seen, after);
          state = after.state;
        }
      }),
      { numRuns: 5000, seed: 20_261_124 },
    );
  };

  it('connections and their losses alternate, and the events tell every one of them', () => {
    histories((before, _, { state, events }) => {
      const told = events.filter(({ type }) => type !== 'reborn').map(({ type }) => type);
      const [was, is] = [isConnected(before), isConnected(state)];
      expect(told).toEqual(was === is ? [] : [is ? 'connected' : 'disconnected']);
      expect(state.lostAt === null).toBe(is);
    });
  });

  it('an engine that reaches the Internet always means connected, a container that does not run never', () => {
    histories((_, { own, witnesses }, { state }) => {
      if (own === 'missing' || own === 'stopped') expect(isConnected(state)).toBe(false);
      else if (witnesses.connected > 0) expect(state.phase).toBe('up');
    });
  });

  it('what is up and runs on is lost for a reason only: two engines, or the word of its own; and never in one look', () => {
    histories((before, { at, own, life, witnesses }, { state }) => {
      if (!isConnected(before) || isConnected(state) || life !== before.life) return;
      if (own === 'missing' || own === 'stopped' || own === 'starting') return;
      expect(witnesses.cutOff >= 2 || own === 'bad').toBe(true);
      expect(before.phase).toBe('doubtful');
      expect(at - before.since).toBeGreaterThanOrEqual(DOUBT_MS);
    });
  });

  it('no history leaves a state that cannot be left: a good look at an empty or connected tunnel is always up', () => {
    histories((_, { at, life }, { state }) => {
      const good = { at: at + 1, own: 'good' as const, life: life ?? 'c@1' };
      expect(look(state, { ...good, witnesses: nobody }).state.phase).toBe('up');
      expect(look(state, { ...good, witnesses: { connected: 1, cutOff: 9 } }).state.phase).toBe('up');
    });
  });

  it('an outage is as long as it was, and none is told of the first connection', () => {
    histories((before, { at }, { events }) => {
      const connected = events.find((event) => event.type === 'connected');
      if (!connected) return;
      expect(connected.outageMs).toBe(before.wasUp ? at - (before.lostAt ?? at) : null);
    });
  });
});
