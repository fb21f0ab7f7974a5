import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ContentDirectory } from '../contents/content-directory.js';
import { parseFaultOrder } from '../control/control-api.js';
import { FaultBook } from './fault-book.js';
import { faultsOfId } from './id-faults.js';
import { KNOBS, KnobError, type KnobName, environmentName, knobsFromEnvironment, parseKnob, parseKnobs } from './knobs.js';

const content = { infohash: 'aa'.repeat(20), id: 'bb'.repeat(20), knobs: { prebufMs: 700 } };

describe('knobs', () => {
  it('are named in the environment after themselves', () => {
    expect(environmentName('bootMs')).toBe('SIM_BOOT_MS');
    expect(environmentName('hlsSegment404')).toBe('SIM_HLS_SEGMENT_404');
    expect(knobsFromEnvironment({ SIM_BOOT_MS: '0', SIM_MARKER: 'engine', SIM_STALL_AFTER_MS: '5', SIM_SKEW_MS: '-20' })).toMatchObject({
      bootMs: 0,
      marker: 'engine',
      stallAfterMs: 5,
      skewMs: -20,
      prebufMs: 1500,
    });
  });

  it('refuse what they cannot be', () => {
    expect(() => knobsFromEnvironment({ SIM_BOOT_MS: 'soon' })).toThrow(KnobError);
    expect(() => parseKnob('supersede', 'maybe')).toThrow(/kill, alias/);
    expect(() => parseKnob('prebufMs', -1)).toThrow(KnobError);
    expect(() => parseKnobs({ warpDrive: 1 }, 'engine')).toThrow(/no such knob/);
    expect(parseKnob('stallAfterMs', null)).toBeNull();
  });

  it('all stand in the README', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const missing = (Object.keys(KNOBS) as KnobName[]).filter((name) => !readme.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});

describe('layers of faults', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('go from the environment over the content to what is set at run time', () => {
    const book = new FaultBook(knobsFromEnvironment({ SIM_PREBUF_MS: '100', SIM_PEERS: '3' }));
    expect(book.of(content)).toMatchObject({ prebufMs: 700, peers: 3 });
    book.set('*', { prebufMs: 900, peers: 4 });
    expect(book.of(content)).toMatchObject({ prebufMs: 900, peers: 4 });
    book.set(content.id, { peers: 5 });
    book.set('cc'.repeat(20), { peers: 6 });
    expect(book.of(content)).toMatchObject({ prebufMs: 900, peers: 5 });
    expect(book.engine.peers).toBe(4);
    book.clear(content.id);
    expect(book.of(content).peers).toBe(4);
    book.clear();
    expect(book.of(content)).toMatchObject({ prebufMs: 700, peers: 3 });
  });

  it('end by themselves after their time and tell so', () => {
    const book = new FaultBook(knobsFromEnvironment({}));
    const changed = vi.fn();
    book.onChange(changed);
    book.set('*', { hangAll: true }, 5000);
    vi.advanceTimersByTime(4999);
    expect(book.engine.hangAll).toBe(true);
    vi.advanceTimersByTime(1);
    expect(book.engine.hangAll).toBe(false);
    expect(changed).toHaveBeenCalledTimes(2);
  });
});

describe('ids', () => {
  it('that begin with fa17 bring their fault along', () => {
    expect(faultsOfId(`fa170504${'0'.repeat(32)}`)).toEqual({ stallAfterMs: 4000 });
    expect(faultsOfId(`fa170932${'0'.repeat(32)}`)).toEqual({ bitrate: 5_000_000 });
    expect(faultsOfId('00'.repeat(20))).toEqual({});
    expect(faultsOfId(`fa17ee${'0'.repeat(34)}`)).toEqual({});
  });

  it('lead to one infohash on every engine, which keeps the fault', () => {
    const id = `fa170200${'0'.repeat(32)}`;
    const [one, other] = [new ContentDirectory(), new ContentDirectory()].map((directory) => directory.byId(id)!);
    expect(one.infohash).toBe(other.infohash);
    expect(one.infohash).not.toBe(id);
    expect(one.knobs).toEqual({ prebufMode: 'hold-forever', peers: 0 });
  });

  it('are 40 hex digits or nothing', () => {
    const directory = new ContentDirectory();
    expect([directory.byId('abc'), directory.byInfohash('z'.repeat(40)), directory.byUrl('ftp://x')]).toEqual([null, null, null]);
  });

  it('stay known by infohash after they were asked for by id', () => {
    const directory = new ContentDirectory();
    const { infohash } = directory.byId('ab'.repeat(20))!;
    expect(directory.knows(infohash)).toBe(true);
    expect(directory.byInfohash(infohash)?.id).toBe('ab'.repeat(20));
  });
});

describe('orders to the control API', () => {
  it('name one fault with its value, or several', () => {
    expect(parseFaultOrder({ fault: 'hangAll', forMs: 500 })).toEqual({ target: '*', knobs: { hangAll: true }, forMs: 500 });
    expect(parseFaultOrder({ target: 'AB', fault: 'stallAfterMs', params: 0 })).toEqual({
      target: 'ab',
      knobs: { stallAfterMs: 0 },
      forMs: null,
    });
    expect(parseFaultOrder({ fault: 'stallAfterMs', params: { stallAfterMs: 1, resumeAfterMs: 2 } }).knobs).toEqual({
      stallAfterMs: 1,
      resumeAfterMs: 2,
    });
    expect(parseFaultOrder({ faults: { peers: 0, connected: false } }).knobs).toEqual({ peers: 0, connected: false });
  });

  it('that mean nothing are refused', () => {
    expect(() => parseFaultOrder({ target: 'ab'.repeat(20), fault: 'hangAll' })).toThrow(/for the whole engine/);
    for (const body of [
      {},
      { fault: 'nope' },
      { fault: 'peers', params: 'x' },
      { fault: 'hangAll', forMs: -1 },
      { target: 1, fault: 'hangAll' },
    ]) {
      expect(() => parseFaultOrder(body)).toThrow();
    }
  });
});
