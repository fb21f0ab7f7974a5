import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ContentCatalog } from '../catalog/content-catalog.js';
import { parseFaultRequest } from '../control/control-api.js';
import { InputError } from '../input-error.js';
import { FaultInjector } from './fault-injector.js';
import { faultsOfId } from './id-faults.js';
import { SETTINGS, type SettingName, environmentName, settingsFromEnvironment, parseSetting, parseSettings } from './simulator-settings.js';

const content = { infohash: 'aa'.repeat(20), id: 'bb'.repeat(20), settings: { prebufMs: 700 } };

describe('settings', () => {
  it('have environment variables with their names', () => {
    expect(environmentName('bootMs')).toBe('SIM_BOOT_MS');
    expect(environmentName('hlsSegment404')).toBe('SIM_HLS_SEGMENT_404');
    expect(settingsFromEnvironment({ SIM_BOOT_MS: '0', SIM_MARKER: 'engine', SIM_STALL_AFTER_MS: '5', SIM_SKEW_MS: '-20' })).toMatchObject({
      bootMs: 0,
      marker: 'engine',
      stallAfterMs: 5,
      skewMs: -20,
      prebufMs: 1500,
    });
  });

  it('reject invalid values', () => {
    expect(() => settingsFromEnvironment({ SIM_BOOT_MS: 'soon' })).toThrow(InputError);
    expect(() => parseSetting('supersede', 'maybe')).toThrow(/supersede is "maybe": it must be one of kill, alias/);
    expect(() => parseSetting('prebufMs', -1)).toThrow(InputError);
    expect(() => parseSettings({ warpDrive: 1 }, 'engine')).toThrow(/unknown setting warpDrive/);
    expect(parseSetting('stallAfterMs', null)).toBeNull();
  });

  it('are all in the README', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const missing = (Object.keys(SETTINGS) as SettingName[]).filter((name) => !readme.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});

describe('layers of settings', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('apply in order: environment, content, faults for the engine, faults for the content', () => {
    const injector = new FaultInjector(settingsFromEnvironment({ SIM_PREBUF_MS: '100', SIM_PEERS: '3' }));
    expect(injector.settingsOf(content)).toMatchObject({ prebufMs: 700, peers: 3 });
    injector.set('*', { prebufMs: 900, peers: 4 });
    expect(injector.settingsOf(content)).toMatchObject({ prebufMs: 900, peers: 4 });
    injector.set(content.id, { peers: 5 });
    injector.set('cc'.repeat(20), { peers: 6 });
    expect(injector.settingsOf(content)).toMatchObject({ prebufMs: 900, peers: 5 });
    expect(injector.engineSettings.peers).toBe(4);
    injector.clear(content.id);
    expect(injector.settingsOf(content).peers).toBe(4);
    injector.clear();
    expect(injector.settingsOf(content)).toMatchObject({ prebufMs: 700, peers: 3 });
  });

  it('lose a fault after its time and notify listeners', () => {
    const injector = new FaultInjector(settingsFromEnvironment({}));
    const changed = vi.fn();
    injector.onChange(changed);
    injector.set('*', { hangAll: true }, 5000);
    vi.advanceTimersByTime(4999);
    expect(injector.engineSettings.hangAll).toBe(true);
    vi.advanceTimersByTime(1);
    expect(injector.engineSettings.hangAll).toBe(false);
    expect(changed).toHaveBeenCalledTimes(2);
  });
});

describe('ids with a fault', () => {
  it('begin with fa17, the fault and its parameter', () => {
    expect(faultsOfId(`fa170504${'0'.repeat(32)}`)).toEqual({ stallAfterMs: 4000 });
    expect(faultsOfId(`fa170932${'0'.repeat(32)}`)).toEqual({ bitrate: 5_000_000 });
    expect(faultsOfId('00'.repeat(20))).toEqual({});
    expect(faultsOfId(`fa17ee${'0'.repeat(34)}`)).toEqual({});
  });

  it('have the same infohash and fault on every engine', () => {
    const id = `fa170200${'0'.repeat(32)}`;
    const [one, other] = [new ContentCatalog(), new ContentCatalog()].map((directory) => directory.byId(id)!);
    expect(one.infohash).toBe(other.infohash);
    expect(one.infohash).not.toBe(id);
    expect(one.settings).toEqual({ prebufMode: 'hold-forever', peers: 0 });
  });

  it('must have 40 hexadecimal digits', () => {
    const directory = new ContentCatalog();
    expect([directory.byId('abc'), directory.byInfohash('z'.repeat(40))]).toEqual([null, null]);
  });

  it('are known by infohash after a request by id', () => {
    const directory = new ContentCatalog();
    const { infohash } = directory.byId('ab'.repeat(20))!;
    expect(directory.knows(infohash)).toBe(true);
    expect(directory.byInfohash(infohash)?.id).toBe('ab'.repeat(20));
  });
});

describe('fault requests', () => {
  it('have one fault with its value, or several', () => {
    expect(parseFaultRequest({ fault: 'hangAll', forMs: 500 })).toEqual({ target: '*', settings: { hangAll: true }, forMs: 500 });
    expect(parseFaultRequest({ target: 'AB', fault: 'stallAfterMs', params: 0 })).toEqual({
      target: 'ab',
      settings: { stallAfterMs: 0 },
      forMs: null,
    });
    expect(parseFaultRequest({ fault: 'stallAfterMs', params: { stallAfterMs: 1, resumeAfterMs: 2 } }).settings).toEqual({
      stallAfterMs: 1,
      resumeAfterMs: 2,
    });
    expect(parseFaultRequest({ faults: { peers: 0, connected: false } }).settings).toEqual({ peers: 0, connected: false });
  });

  it('are rejected if they are invalid', () => {
    expect(() => parseFaultRequest({ target: 'ab'.repeat(20), fault: 'hangAll' })).toThrow(/hangAll applies to the whole engine/);
    for (const body of [
      {},
      { fault: 'nope' },
      { fault: 'peers', params: 'x' },
      { fault: 'hangAll', forMs: -1 },
      { target: 1, fault: 'hangAll' },
    ]) {
      expect(() => parseFaultRequest(body)).toThrow();
    }
  });
});
