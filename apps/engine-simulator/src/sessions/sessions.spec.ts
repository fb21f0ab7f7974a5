import { describe, expect, it, vi } from 'vitest';
import { ContentCatalog } from '../catalog/content-catalog.js';
import { EngineMetrics } from '../metrics/engine-metrics.js';
import { FaultInjector } from '../faults/fault-injector.js';
import { type SimulatorSettings, settingsFromEnvironment } from '../faults/simulator-settings.js';
import type { PlaybackKind } from './player.policy.js';
import { PlaybackSessions, playbackKey } from './playback-sessions.js';
import { statReply, computeStatistics } from './statistics.js';

const A = 'aa'.repeat(20);
const B = 'bb'.repeat(20);

function setUp(settings: Partial<SimulatorSettings> = {}) {
  const clock = { now: 1_700_000_000_000 };
  const faults = new FaultInjector({ ...settingsFromEnvironment({}), ...settings });
  const metrics = new EngineMetrics();
  const contents = new ContentCatalog();
  const sessions = new PlaybackSessions(faults, metrics, () => clock.now);
  const open = (infohash: string, pid: string, kind: PlaybackKind = 'ts') =>
    sessions.open({ content: contents.byInfohash(infohash)!, pid, kind })!;
  return { clock, faults, metrics, sessions, open };
}

describe('player rules', () => {
  it('the same player and content continue their session with a new session id', () => {
    const { open, metrics } = setUp();
    const first = open(A, 'p');
    const id = first.session.playbackSessionId;
    const again = open(A, 'p');
    expect(again.session).toBe(first.session);
    expect(again.key).toBe(first.key);
    expect(again.session.playbackSessionId).not.toBe(id);
    expect(metrics.ofContent(A)).toMatchObject({ opened: 1, restarted: 1, active: 1 });
  });

  it('the same player ends its earlier content', () => {
    const { open, sessions } = setUp();
    const first = open(A, 'p');
    open(B, 'p');
    expect(first.session.state).toBe('superseded');
    expect(sessions.list()).toHaveLength(1);
  });

  it('another player of the same content ends the first session', () => {
    const { open, sessions, metrics } = setUp();
    const first = open(A, 'p');
    const ended = vi.fn();
    first.session.readers.add({ key: first.key, sessionEnded: ended });
    const second = open(A, 'q');
    expect(ended).toHaveBeenCalledWith('superseded');
    expect(sessions.find(A, first.key)).toEqual({ state: 'superseded' });
    expect(sessions.find(A, second.key)).toMatchObject({ state: 'active' });
    expect(metrics.ofContent(A)).toMatchObject({ opened: 2, superseded: 1, active: 1, maxActive: 1 });
  });

  it('or joins it with `alias`, and a stop by either ends both', () => {
    const { open, sessions } = setUp({ supersede: 'alias' });
    const first = open(A, 'p');
    const second = open(A, 'q');
    expect(second.session).toBe(first.session);
    expect(second.key).not.toBe(first.key);
    expect(open(A, 'q').session).toBe(first.session);
    sessions.end(first.session, 'stopped');
    expect(sessions.find(A, second.key)).toEqual({ state: 'stopped' });
  });

  it('another kind of the same content ends the first session even with `alias`', () => {
    const { open } = setUp({ supersede: 'alias' });
    const first = open(A, 'p', 'ts');
    open(A, 'p', 'hls');
    expect(first.session.state).toBe('superseded');
  });

  it('different players of different contents run side by side, up to `maxStreams`', () => {
    const { open, sessions } = setUp({ maxStreams: 2 });
    open(A, 'p');
    open(B, 'q');
    expect(sessions.list()).toHaveLength(2);
    expect(open('cc'.repeat(20), 'r')).toBeNull();
    expect(open('cc'.repeat(20), 'q').session.state).toBe('active');
  });

  it('the key is the MD5 of the player id, as in recorded replies of engines', () => {
    expect(playbackKey('127.0.0.1')).toBe('f528764d624db129b32c21fbca0cb8d6');
    expect(playbackKey('172.23.0.1')).toBe('269e6c9cb28db04d1f0a5fbd76f2519e');
  });
});

describe('end of a session', () => {
  it('an unread session expires after its idle time, not before', () => {
    const { open, sessions, clock, metrics } = setUp();
    const { session, key } = open(A, 'p');
    clock.now += 59_999;
    sessions.sweep();
    expect(session.state).toBe('active');
    session.touch(clock.now);
    clock.now += 60_000;
    sessions.sweep();
    expect(sessions.find(A, key)).toEqual({ state: 'expired' });
    expect(metrics.ofContent(A)).toMatchObject({ expired: 1, active: 0 });
  });

  it('a stop ends it once, and its reason is remembered', () => {
    const { open, sessions, metrics } = setUp();
    const { session, key } = open(A, 'p');
    sessions.end(session, 'stopped');
    sessions.end(session, 'stopped');
    expect(sessions.find(A, key)).toEqual({ state: 'stopped' });
    expect(sessions.find(A, 'nobody')).toEqual({ state: 'unknown' });
    expect(metrics.ofContent(A)).toMatchObject({ stopped: 1, active: 0 });
  });

  it('the next start makes the same URL valid again', () => {
    const { open, sessions } = setUp();
    const { session, key } = open(A, 'p');
    sessions.end(session, 'expired');
    expect(open(A, 'p').key).toBe(key);
    expect(sessions.find(A, key)).toMatchObject({ state: 'active' });
  });

  it('a fault loses it after the configured time', () => {
    const { open, sessions, clock } = setUp({ loseSessionAfterMs: 1000 });
    const { session } = open(A, 'p');
    clock.now += 1000;
    sessions.sweep();
    expect(session.state).toBe('lost');
  });
});

describe('statistics', () => {
  const at = (ms: number, settings: Partial<SimulatorSettings> = {}) => {
    const { open, clock, faults } = setUp({ prebufMs: 2000, ...settings });
    const { session } = open(A, 'p');
    const effective = faults.settingsOf(session.content);
    return { session, effective, statistics: computeStatistics(session, effective, clock.now + ms, clock.now + ms, false) };
  };

  it('change from prebuf with progress to dl with a live position', () => {
    expect(at(500).statistics).toMatchObject({ status: 'prebuf', progress: 25, livepos: null });
    const { statistics } = at(5000);
    expect(statistics.status).toBe('dl');
    expect(statistics.livepos!.last - statistics.livepos!.first).toBe(1800);
    expect(statistics.speedDown).toBeGreaterThanOrEqual(437);
    expect(statistics.speedDown).toBeLessThanOrEqual(526);
    expect(statistics.downloaded % 16_384).toBe(0);
    expect(statistics.downloaded).toBeGreaterThan((3000 * 3_500_000) / 8000);
  });

  it('of a dead source stay at zero', () => {
    expect(at(60_000, { prebufMode: 'hold-forever' }).statistics).toMatchObject({
      status: 'prebuf',
      peers: 0,
      speedDown: 0,
      downloaded: 0,
    });
  });

  it('of a stalled source are buf without speed', () => {
    const { session, effective } = at(5000);
    session.stalledSince = session.createdAt + 4000;
    expect(computeStatistics(session, effective, session.createdAt + 9000, session.createdAt + 9000, false)).toMatchObject({
      status: 'buf',
      speedDown: 0,
    });
  });

  it('of a loop do not advance', () => {
    const { session, effective } = at(0, { loopAfterMs: 1000 });
    session.firstByteAt = session.readyAt;
    const later = session.readyAt + 60_000;
    expect(computeStatistics(session, effective, later, later, false).livepos?.last).toBe(Math.floor((session.readyAt + 1000) / 1000));
  });

  it('have the fields and types of a recorded reply', () => {
    const { session, effective, statistics } = at(5000);
    const recorded = {
      uploaded: 491520,
      network_monitor_status: 0,
      debug_level: 0,
      disk_cache_stats: { avail: 3199156224, disk_cache_limit: 2266017044, inactive_inuse: 0, active_inuse: 38010982 },
      speed_down: 257,
      speed_up: 29,
      network_monitor_started: false,
      selected_stream_index: 0,
      total_progress: 0,
      stream_status: -1,
      client_session_id: -1,
      status: 'dl',
      downloaded: 3276800,
      manifest_access_mode: -1,
      peers: 4,
      playback_session_id: '',
      is_encrypted: 0,
      is_live: 1,
      infohash: '',
      selected_file_index: -1,
      livepos: { last: '', live_first: '', pos: '', first_ts: '', last_ts: '', is_live: '1', live_last: '', buffer_pieces: '30' },
    };
    const shape = (value: unknown): unknown =>
      value !== null && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([key, field]) => [key, shape(field)]))
        : typeof value;
    expect(shape(statReply(session, statistics, effective))).toEqual(shape(recorded));
  });
});
