/** A reverse proxy must not end the connection of a paused player before the acexy proxy does. */
import { readFileSync } from 'node:fs';
import { loadAllSettings } from '@acexy/service-kit';
import { describe, expect, it } from 'vitest';
import { PROXY_SETTINGS } from '../apps/proxy/src/app/settings.js';
import { FailoverSettings } from '../apps/proxy/src/sessions/failover/failover-settings.js';
import { StartSettings } from '../apps/proxy/src/sessions/start/start-settings.js';
import { ViewerSettings } from '../apps/proxy/src/sessions/viewer-settings.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** The times that `text` sets for a directive, in milliseconds; each must have its unit. */
function timesOf(text: string, directive: string): number[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().replace(/;$/, '').split(/\s+/);
    const value = words.at(-1) ?? '';
    if (words.slice(0, -1).join(' ') !== directive) return [];
    const unit = UNIT_MS.get(value.replace(/^\d+/, ''));
    if (unit === undefined) throw new Error(`${directive} ${value} has no known unit`);
    return [Number.parseInt(value, 10) * unit];
  });
}

describe('the timeouts of reverse proxies', () => {
  const settings = loadAllSettings(PROXY_SETTINGS, {});
  const { clientStallMs } = settings.of(ViewerSettings);

  it.each([
    ['deploy/two-proxies/haproxy.cfg', 'timeout client'],
    ['deploy/two-proxies/haproxy.cfg', 'timeout server'],
    ['docs/reverse-proxy.md', 'timeout client'],
    ['docs/reverse-proxy.md', 'timeout server'],
    ['docs/reverse-proxy.md', 'proxy_read_timeout'],
    ['docs/reverse-proxy.md', 'send_timeout'],
  ])('%s: %s exceeds the default of ACEXY_CLIENT_STALL', (file, directive) => {
    const times = timesOf(read(file), directive);
    expect(times).not.toEqual([]);
    for (const time of times) expect(time).toBeGreaterThan(clientStallMs);
  });

  it('the load balancer waits longer than a start and a failover may take', () => {
    const [server] = timesOf(read('deploy/two-proxies/haproxy.cfg'), 'timeout server');
    expect(server).toBeGreaterThan(settings.of(StartSettings).startTimeoutMs + settings.of(FailoverSettings).emptyTimeoutMs);
  });
});
