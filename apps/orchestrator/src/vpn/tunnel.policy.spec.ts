import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CANARY_AFTER_MS,
  SUSPECT_MS,
  isConnected,
  observe,
  mayStart,
  type ReportedStatus,
  CANARY_INTERVAL_MS,
  type TunnelEvent,
  type TunnelState,
  UNKNOWN_TUNNEL,
} from './tunnel.policy.js';

const LIFE = 'gluetun@1';
const nobody = { connected: 0, cutOff: 0 };

/** A tunnel that is observed once a second. */
class Watched {
  state: TunnelState = UNKNOWN_TUNNEL;
  readonly events: TunnelEvent[] = [];
  private now = 1_000_000;

  sees(reported: ReportedStatus, probes: Partial<typeof nobody> = {}, generation: string | null = LIFE): this {
    const { state, events } = observe(this.state, { at: this.now, reported, generation, probes: { ...nobody, ...probes } });
    this.state = state;
    this.events.push(...events);
    this.now += 1000;
    return this;
  }

  seesFor(seconds: number, reported: ReportedStatus, probes: Partial<typeof nobody> = {}): this {
    for (let second = 0; second < seconds; second++) this.sees(reported, probes);
    return this;
  }

  get phase(): string {
    return this.state.phase;
  }
}

describe('a tunnel', () => {
  it('is up when its container is healthy and no engine is behind it yet', () => {
    expect(new Watched().sees('starting').sees('good').phase).toBe('up');
  });

  it('is up when an engine reaches the Internet, even if its health check fails', () => {
    expect(new Watched().sees('good').seesFor(60, 'bad', { connected: 1, cutOff: 3 }).phase).toBe('up');
  });

  it('is down within three observations when two engines do not reach the Internet, although its container is healthy', () => {
    const watched = new Watched().sees('good', { connected: 2 }).seesFor(3, 'good', { cutOff: 2 });
    expect(watched.phase).toBe('down');
    expect(watched.events.at(-1)).toEqual({ type: 'disconnected', reason: '2 engines do not reach the Internet' });
  });

  it('is not down after a single observation', () => {
    expect(isConnected(new Watched().sees('good').sees('good', { cutOff: 5 }).state)).toBe(true);
  });

  it('is never down because of one engine only', () => {
    const watched = new Watched().sees('good').seesFor(600, 'good', { cutOff: 1 });
    expect(isConnected(watched.state)).toBe(true);
    expect(watched.phase).toBe('suspect');
  });

  it('is down because of one engine and the reported status', () => {
    expect(new Watched().sees('good').seesFor(3, 'bad', { cutOff: 1 }).phase).toBe('down');
  });

  it('is down because of the reported status alone when no engine is behind it', () => {
    const { state } = new Watched().sees('good').seesFor(3, 'bad');
    expect(state).toMatchObject({ phase: 'down', reason: 'Gluetun reports the VPN as down' });
  });

  it('names what indicates a failure: the engines, and the status if it was reported', () => {
    const reasonOf = (reported: ReportedStatus) => new Watched().sees('good').seesFor(3, reported, { cutOff: 1 }).state.reason;
    expect(reasonOf('good')).toBe('1 engine does not reach the Internet');
    expect(reasonOf('bad')).toBe('1 engine does not reach the Internet, and Gluetun reports the VPN as down');
  });

  it('is starting, not down, while it starts, whatever its engines report', () => {
    expect(new Watched().sees('starting', { cutOff: 2 }).phase).toBe('starting');
    expect(new Watched().sees('good').sees('starting').phase).toBe('starting');
  });

  it('is starting when its container was restarted and nothing good is known of it', () => {
    expect(new Watched().sees('good').sees('bad', {}, 'gluetun@2').phase).toBe('starting');
    expect(new Watched().sees('good').sees('unknown', {}, 'gluetun@2').phase).toBe('starting');
    for (const before of ['missing', 'stopped'] as const) expect(new Watched().sees(before).sees('unknown').phase).toBe('starting');
  });

  it('has no outage before it was up for the first time', () => {
    expect(new Watched().seesFor(3, 'bad').sees('good').events).toEqual([{ type: 'connected', outageMs: null }]);
  });

  it('keeps the time at which its phase began', () => {
    const watched = new Watched().seesFor(3, 'good');
    expect(watched.state.since).toBe(1_000_000);
    expect(watched.seesFor(3, 'stopped').state.since).toBe(1_003_000);
  });

  it('is up again with the first engine that reaches the Internet', () => {
    const watched = new Watched().sees('good').seesFor(30, 'bad', { cutOff: 3 }).sees('bad', { connected: 1, cutOff: 2 });
    expect(watched.phase).toBe('up');
    expect(watched.events.at(-1)).toEqual({ type: 'connected', outageMs: 29_000 });
  });

  it('is up again by the reported status when no engine is behind it', () => {
    expect(new Watched().sees('good').seesFor(10, 'bad').sees('good').phase).toBe('up');
  });

  it('is down when its container is stopped or missing, whatever engines report', () => {
    expect(new Watched().sees('good').sees('stopped', { connected: 1 }).phase).toBe('stopped');
    expect(new Watched().sees('good').sees('missing', { connected: 1 }, null).phase).toBe('missing');
  });

  it('keeps its state while nothing is reported', () => {
    expect(new Watched().sees('good').seesFor(100, 'unknown').phase).toBe('up');
    expect(new Watched().seesFor(100, 'unknown').phase).toBe('starting');
  });

  it('reports a container that was restarted or recreated', () => {
    const watched = new Watched().sees('good').sees('stopped').sees('starting', {}, 'gluetun@2').sees('good', {}, 'gluetun@2');
    expect(watched.events.map(({ type }) => type)).toEqual(['connected', 'disconnected', 'restarted', 'connected']);
  });
});

describe('starting engines behind a tunnel', () => {
  const stateOf = (reported: ReportedStatus, cutOff: number): TunnelState =>
    new Watched().sees('good').seesFor(5, reported, { cutOff }).state;

  it('is allowed while the tunnel is up, and refused while the reported status is bad', () => {
    const up = stateOf('good', 0);
    expect(mayStart(up, 'good', up.since, up.since)).toBe(true);
    const down = stateOf('bad', 2);
    expect(mayStart(down, 'bad', down.since + CANARY_INTERVAL_MS, null)).toBe(false);
    expect(mayStart(UNKNOWN_TUNNEL, 'unknown', CANARY_INTERVAL_MS, null)).toBe(false);
  });

  it('is allowed once a minute while only engines report a failure, so that a broken engine cannot block healthy ones', () => {
    for (const cutOff of [1, 2]) {
      const state = stateOf('good', cutOff);
      const now = state.since + CANARY_AFTER_MS.down;
      const tried = [null, now, now - CANARY_INTERVAL_MS + 1, now - CANARY_INTERVAL_MS];
      expect(tried.map((at) => mayStart(state, 'good', now, at))).toEqual([true, false, false, true]);
    }
  });

  it.each([
    ['goes down', 'down', 2, CANARY_AFTER_MS.down],
    ['becomes suspect', 'suspect', 1, CANARY_AFTER_MS.suspect],
  ] as const)('is not allowed at once when it %s, so that a short flap starts nothing', (_, phase, cutOff, afterMs) => {
    const state = stateOf('good', cutOff);
    expect(state.phase).toBe(phase);
    expect([0, afterMs - 1, afterMs].map((ms) => mayStart(state, 'good', state.since + ms, null))).toEqual([false, false, true]);
  });
});

describe('a tunnel in 5000 random histories', () => {
  const observation = fc.record({
    reported: fc.constantFrom<ReportedStatus>('missing', 'stopped', 'starting', 'good', 'bad', 'unknown'),
    generation: fc.constantFrom('a@1', 'a@2', 'b@1'),
    stepMs: fc.integer({ min: 200, max: 10_000 }),
    connected: fc.constantFrom(0, 0, 1, 3),
    cutOff: fc.constantFrom(0, 0, 1, 2, 5),
  });
  const histories = (
    check: (before: TunnelState, seen: Parameters<typeof observe>[1], after: ReturnType<typeof observe>) => void,
  ): void => {
    fc.assert(
      fc.property(fc.array(observation, { minLength: 1, maxLength: 60 }), (steps) => {
        let state = UNKNOWN_TUNNEL;
        let at = 0;
        for (const { reported, generation, stepMs, connected, cutOff } of steps) {
          at += stepMs;
          const gone = reported === 'missing' || reported === 'stopped';
          const seen = {
            at,
            reported,
            generation: reported === 'missing' ? null : generation,
            probes: gone ? nobody : { connected, cutOff },
          };
          const after = observe(state, seen);
          check(state, seen, after);
          state = after.state;
        }
      }),
      { numRuns: 5000, seed: 20_261_124 },
    );
  };

  it('connects and disconnects in turn, with one event for each', () => {
    histories((before, _, { state, events }) => {
      const types = events.filter(({ type }) => type !== 'restarted').map(({ type }) => type);
      const [was, is] = [isConnected(before), isConnected(state)];
      expect(types).toEqual(was === is ? [] : [is ? 'connected' : 'disconnected']);
      expect(state.lostAt === null).toBe(is);
    });
  });

  it('is connected whenever an engine reaches the Internet, and never while its container is not running', () => {
    histories((_, { reported, probes }, { state }) => {
      if (reported === 'missing' || reported === 'stopped') expect(isConnected(state)).toBe(false);
      else if (probes.connected > 0) expect(state.phase).toBe('up');
    });
  });

  it('is lost only because of two engines or the reported status, and never after one observation', () => {
    histories((before, { at, reported, generation, probes }, { state }) => {
      if (!isConnected(before) || isConnected(state) || generation !== before.generation) return;
      if (reported === 'missing' || reported === 'stopped' || reported === 'starting') return;
      expect(probes.cutOff >= 2 || reported === 'bad').toBe(true);
      expect(before.phase).toBe('suspect');
      expect(at - before.since).toBeGreaterThanOrEqual(SUSPECT_MS);
    });
  });

  it('can leave every state: a good observation of an empty or connected tunnel is always up', () => {
    histories((_, { at, generation }, { state }) => {
      const good = { at: at + 1, reported: 'good' as const, generation: generation ?? 'c@1' };
      expect(observe(state, { ...good, probes: nobody }).state.phase).toBe('up');
      expect(observe(state, { ...good, probes: { connected: 1, cutOff: 9 } }).state.phase).toBe('up');
    });
  });

  it('reports the true length of an outage, and none at the first connection', () => {
    histories((before, { at }, { events }) => {
      const connected = events.find((event) => event.type === 'connected');
      if (!connected) return;
      expect(connected.outageMs).toBe(before.wasUp ? at - (before.lostAt ?? at) : null);
    });
  });
});
