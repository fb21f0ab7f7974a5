import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GluetunSimulator } from '../support/gluetun-simulator.js';
import { contentId, Pair } from '../support/pair.js';
import { missingIn, parseQuery, parseScrape, type Series } from '../support/prometheus.js';
import { ROOT } from '../support/service-process.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

const PROMETHEUS = join(ROOT, 'deploy/prometheus');
const KEY = 'a-key-that-nobody-may-read';
const GLUETUN_KEY = 'a-key-of-gluetun-that-nobody-may-read';
const WRONG_KEY = 'a-wrong-key-that-nobody-may-read';

interface Panel {
  title: string;
  targets?: { expr: string; legendFormat: string }[];
  gridPos: { x: number; y: number; w: number; h: number };
}

const panels = (JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/acestream.json'), 'utf8')) as { panels: Panel[] }).panels;
const rules = [...readFileSync(join(PROMETHEUS, 'alerts.yml'), 'utf8').matchAll(/- alert: (\w+)\n\s+expr: (.+)\n/g)].map(
  ([, name, expr]): [string, string] => [name, expr],
);

describe('a pair after playback, a failover and rejected requests', () => {
  let pair: Pair;
  let gluetun: GluetunSimulator;
  let series: Series[];

  beforeAll(async () => {
    gluetun = await GluetunSimulator.start({ HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE: `{"auth":"apikey","apikey":"${GLUETUN_KEY}"}` });
    pair = await Pair.start({
      orchestrator: {
        API_KEY: KEY,
        MIN_REPLICAS: '2',
        MIN_PROVISION_INTERVAL_S: '0.1',
        GLUETUN_CONTAINER_NAME: '127.0.0.1',
        GLUETUN_API_PORT: String(gluetun.port),
        GLUETUN_API_KEY: GLUETUN_KEY,
      },
      proxy: { ACEXY_ORCH_APIKEY: KEY, ACEXY_LINGER: '0s' },
      engines: { SIM_BOOT_MS: '100', SIM_PREBUF_MS: '200' },
    });
    await until('engines', async () => (await pair.engines()).length >= 2);
    const call = (path: string, key: string, init: RequestInit = {}): Promise<Response> =>
      fetch(pair.apiUrl + path, { ...init, headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' } });
    const viewer = await Viewer.open(pair.streamUrl(contentId(1)), { keep: false });
    await viewer.untilBytes(300_000);
    const engine = (await pair.engines()).find(({ streams }) => streams.length > 0)!;
    await call(`/containers/${engine.container_id}`, KEY, { method: 'DELETE' });
    await viewer.untilBytes(viewer.bytes + 500_000);
    await viewer.leave();
    // Requests that could make a service log a key: wrong keys, malformed bodies, unknown paths, invalid requests.
    for (const key of [KEY, WRONG_KEY]) {
      await call('/provision/acestream', key, { method: 'POST', body: '{"host_port":0}' });
      await call('/events/stream_started', key, { method: 'POST', body: '{"broken' });
      await call('/provision', key, { method: 'POST', body: '{"image":"-bad"}' });
      await call('/no/such/path', key);
    }
    await fetch(`${pair.proxyUrl}/ace/getstream?id=wrong`, { headers: { Authorization: `Bearer ${WRONG_KEY}` } });
    await fetch(`${pair.proxyUrl}/ace/status`);
    for (const path of ['/engines', '/streams']) await fetch(pair.apiUrl + path);
    const scrape = async (url: string): Promise<Series[]> => parseScrape(await (await fetch(`${url}/metrics`)).text());
    series = await until('the end of the stream is reported', async () => {
      const all = [...(await scrape(pair.apiUrl)), ...(await scrape(pair.proxyUrl))];
      return all.some(({ name, value }) => name === 'orch_events_ended_total' && value > 0) && all;
    });
  });
  afterAll(async () => {
    await pair?.stop();
    await gluetun?.kill();
  });

  it.each(rules)('the alert %s uses only metrics that the services export', (_name, expr) => {
    expect(missingIn(parseQuery(expr), series)).toEqual([]);
  });

  it.each(panels.filter(({ targets }) => targets).map((panel): [string, Panel] => [panel.title, panel]))(
    'the panel "%s" of the dashboard uses only metrics that the services export',
    (_title, { targets = [] }) => {
      for (const { expr, legendFormat } of targets) {
        const query = parseQuery(expr);
        expect([expr, missingIn(query, series)]).toEqual([expr, []]);
        // The query must keep the labels that the legend uses.
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect([expr, ...query.grouping]).toContain(label);
      }
    },
  );

  it('neither service logs a key at level DEBUG', () => {
    for (const { log } of [pair.orchestrator, pair.proxy]) {
      expect(log).toContain('"level":"DEBUG"');
      expect(log).not.toContain(KEY);
      expect(log).not.toContain(WRONG_KEY);
      expect(log).not.toContain(GLUETUN_KEY);
    }
  });
});

it('no two panels of the dashboard overlap', () => {
  for (const [index, a] of panels.entries())
    for (const b of panels.slice(index + 1)) {
      const apart =
        a.gridPos.x + a.gridPos.w <= b.gridPos.x ||
        b.gridPos.x + b.gridPos.w <= a.gridPos.x ||
        a.gridPos.y + a.gridPos.h <= b.gridPos.y ||
        b.gridPos.y + b.gridPos.h <= a.gridPos.y;
      expect([a.title, b.title, apart]).toEqual([a.title, b.title, true]);
    }
});

it('alerts and panels exist', () => {
  expect(rules.length).toBeGreaterThan(15);
  expect(panels.length).toBeGreaterThan(20);
});

describe('promtool', () => {
  if (spawnSync('promtool', ['--version']).status !== 0) {
    console.warn(
      'SKIPPED: promtool is not installed (Debian package prometheus; .ci/promtool.sh fetches it), so the alert rules are not tested',
    );
    it.skip('promtool is not installed', () => undefined);
    return;
  }
  const run = (...args: string[]): string =>
    execFileSync('promtool', args, { cwd: PROMETHEUS, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  it('accepts rules and configuration', () => {
    expect(run('check', 'rules', 'alerts.yml')).toContain(`${rules.length} rules found`);
    expect(run('check', 'config', 'prometheus.yml')).toContain('SUCCESS');
  });

  it('passes the alert rule tests', () => {
    expect(run('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  });
});
