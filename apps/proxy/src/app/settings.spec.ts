import { SettingsError, loadAllSettings } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { BufferSettings, broadcastSettings } from '../sessions/buffer-settings.js';
import { ViewerSettings } from '../sessions/viewer-settings.js';
import { PROXY_SETTINGS } from './settings.js';

const loadAll = (environment: Record<string, string> = {}) => loadAllSettings(PROXY_SETTINGS, environment);
const load = (environment: Record<string, string> = {}): Record<string, unknown> => loadAll(environment).values;
const broadcastOf = (environment: Record<string, string> = {}) => {
  const settings = loadAll(environment);
  return broadcastSettings(settings.of(BufferSettings), settings.of(ViewerSettings));
};

describe('the settings of the proxy', () => {
  it('have a default for everything that is required', () => {
    const settings = load();
    expect(settings).toMatchObject({
      listen: { host: '', port: 8080 },
      fallbackHost: 'localhost',
      fallbackPort: 6878,
      orchestratorTimeoutMs: 3000,
      engineCacheTtlMs: 5000,
      maxStreamsPerEngine: 1,
      noResponseTimeoutMs: 20_000,
      firstByteTimeoutMs: 30_000,
      startTimeoutMs: 60_000,
      lingerMs: 5000,
      emptyTimeoutMs: 60_000,
      failoverPauseMs: 250,
      failoverPauseMaxMs: 5000,
      drainTimeoutMs: 5000,
      maxViewers: 0,
      maxViewersPerStream: 0,
      hlsBufferMaxBytes: 64 * 2 ** 20,
    });
    expect(settings.orchestratorUrl).toBeUndefined();
    expect(settings.stallTimeoutMs).toBeUndefined();
    expect(broadcastOf()).toMatchObject({
      maxBytes: 32 * 2 ** 20,
      chunkBytes: 256 * 1024,
      chunkMs: 250,
      joinMode: 'keyframe',
      maxWriteMs: 600_000,
    });
  });

  it('accept the names of existing installations', () => {
    const environment = { ACEXY_ADDR: '127.0.0.1:9000', ACEXY_BUFFER_SIZE: '64MiB', LOG_LEVEL: 'debug', DATA_DIR: '/data' };
    expect(load(environment)).toMatchObject({ listen: { host: '127.0.0.1', port: 9000 }, logLevel: 'DEBUG', dataDir: '/data' });
    expect(broadcastOf(environment).maxBytes).toBe(64 * 2 ** 20);
    expect(broadcastOf({ ACEXY_BUFFER: '4.2MiB' }).maxBytes).toBe(32 * 2 ** 20);
  });

  it('prefer the main name to an alias', () => {
    expect(load({ ACEXY_LISTEN_ADDR: ':1', ACEXY_ADDR: ':2', ACEXY_LOG_LEVEL: 'WARN', LOG_LEVEL: 'DEBUG' })).toMatchObject({
      listen: { port: 1 },
      logLevel: 'WARN',
    });
  });

  it('a default that contradicts a value of the operator gives way, and that is reported', () => {
    const { values, remarks } = loadAll({ ACEXY_FAILOVER_BACKOFF: '10s', ACEXY_STEP_SIZE: '16MiB' });
    expect(values).toMatchObject({ failoverPauseMs: 10_000, failoverPauseMaxMs: 10_000, bufferMaxBytes: 64 * 2 ** 20 });
    expect(remarks).toMatchObject([
      { kind: 'default changed', name: 'ACEXY_FAILOVER_BACKOFF_MAX', value: '10000ms' },
      { kind: 'default changed', name: 'ACEXY_BUFFER_MAX', value: String(64 * 2 ** 20) },
    ]);
  });

  it('report all faults at once, each with its name', () => {
    const faults = (environment: Record<string, string>): string[] => {
      try {
        load(environment);
        return [];
      } catch (error) {
        return (error as SettingsError).faults.map(({ name }) => name);
      }
    };
    expect(faults({ ACEXY_PORT: '0', ACEXY_LINGER: 'soon', ACEXY_JOIN: 'now' })).toEqual(['ACEXY_PORT', 'ACEXY_LINGER', 'ACEXY_JOIN']);
    expect(faults({ ACEXY_STALL_TIMEOUT: '0', ACEXY_START_TIMEOUT: '0' })).toEqual(['ACEXY_START_TIMEOUT', 'ACEXY_STALL_TIMEOUT']);
    expect(faults({ ACEXY_BUFFER_MAX: '100KiB', ACEXY_STEP_SIZE: '1KiB' })).toContain('ACEXY_STEP_SIZE');
    expect(faults({ ACEXY_LINGER: '0', ACEXY_EMPTY_TIMEOUT: '0', ACEXY_DRAIN_TIMEOUT: '0' })).toEqual([]);
    expect(faults({ ACEXY_FAILOVER_BACKOFF: '0' })).toEqual(['ACEXY_FAILOVER_BACKOFF']);
    expect(faults({ ACEXY_FAILOVER_BACKOFF: '10s', ACEXY_FAILOVER_BACKOFF_MAX: '5s' })).toEqual(['ACEXY_FAILOVER_BACKOFF_MAX']);
    expect(faults({ ACEXY_CLIENT_STALL: '0', ACEXY_HLS_BUFFER_MAX: '1KB' })).toEqual(['ACEXY_CLIENT_STALL', 'ACEXY_HLS_BUFFER_MAX']);
    expect(faults({ ACEXY_DRAIN_TIMEOUT: '25h' })).toEqual(['ACEXY_DRAIN_TIMEOUT']);
  });
});
