import type { EngineState } from '@acexy/contracts';
import { copyFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentId } from '../support/pair.js';
import { type SeedHost, SeedStack, STACK_MISSING, startPairAsHost } from '../support/seed-stack.js';
import { ROOT } from '../support/service-process.js';
import type { ShellResult } from '../support/shell.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';

/**
 * The operators' troubleshooting guide, line by line: each case has the line number and the line. Lines run unchanged, except
 * for hosts, placeholders and service managers. Its settings are tested in seed-settings.spec.ts. One file, in the order of the guide.
 */

const SETTINGS = {
  MIN_REPLICAS: '1',
  MAX_REPLICAS: '3',
  MAX_CONCURRENT_PROVISIONS: '10',
  MIN_PROVISION_INTERVAL_S: '0.2',
  ENGINE_GRACE_PERIOD_S: '20',
  ACEXY_LINGER: '0s',
};
const AUTHORIZED = '-H "Authorization: Bearer $API_KEY"';
const READY = `curl ${AUTHORIZED} \\\n  http://localhost:8000/health/ready`;
const GC = `curl -X POST ${AUTHORIZED} \\\n  http://localhost:8000/gc`;
const VPN_STATUS = `curl ${AUTHORIZED} \\\n  http://localhost:8000/vpn/status`;
const REMOVE_ALL = 'docker rm -f $(docker ps -aq --filter "label=acestream-orchestrator")';

let host: SeedHost;
/** The same host, if it has Docker. */
let stack: SeedStack;

beforeAll(async () => {
  if (STACK_MISSING === null) host = stack = await SeedStack.start(SETTINGS);
  else host = await startPairAsHost(SETTINGS);
  await until('an engine', async () => (await engines()).length > 0);
});
afterAll(() => host?.stop());

const engines = async (): Promise<EngineState[]> => (await (await fetch(`${host.apiUrl}/engines`)).json()) as EngineState[];
const json = <T>({ stdout }: ShellResult): T => JSON.parse(stdout) as T;

/** Tests one line of the guide. Lines with docker need Docker. */
function line(
  at: number,
  lines: string,
  check: (result: ShellResult) => unknown,
  fill: () => Promise<[placeholder: string, value: string]> = none,
): void {
  const test = /docker|systemctl/.test(lines) ? it.skipIf(STACK_MISSING !== null) : it;
  test(`line ${at}: ${lines.replaceAll('\\\n', ' ').replaceAll(/\s+/g, ' ')}`, async () => {
    const [placeholder, value] = await fill();
    const result = await host.shell(lines.replaceAll(placeholder, value), { EXPECTED_CONCURRENT_STREAMS: '2' });
    await check(result);
  });
}
const none = (): Promise<[string, string]> => Promise.resolve(['', '']);
const fine = (pattern: RegExp) => (result: ShellResult) =>
  expect([result.code, result.stdout, result.stderr]).toEqual([0, expect.stringMatching(pattern), expect.anything()]);

describe('1. Communication between services fails under stress', () => {
  line(22, 'docker system df', fine(/^Containers +\d/m));
  line(25, 'docker ps --format "table {{.Names}}\\t{{.Status}}\\t{{.CPUPerc}}\\t{{.MemUsage}}"', async ({ code, stderr }) => {
    // Docker has these columns only in `docker stats`, which our guide uses.
    expect([code, stderr]).toEqual([1, expect.stringContaining('CPUPerc')]);
  });
  line(28, 'docker info | grep -A 5 "Server Version"', fine(/Server Version: \d/));
  it('line 34: top', () => host.shellUntilPrinted('top', /load average/));
  line(37, 'lsof | wc -l', fine(/^\s*\d+/));
  line(38, 'ulimit -n', fine(/^(\d+|unlimited)$/m));
  line(41, 'netstat -an | grep ESTABLISHED | wc -l', fine(/^\d+/));
  line(95, `curl ${AUTHORIZED} http://localhost:8000/health/ready`, (result) => {
    expect(json(result)).toMatchObject({ ready: true, provisioning: { max_concurrent: 10, min_interval_s: 0.2 } });
  });
});

describe('2. Engines not available when needed', () => {
  const provision = `time curl -X POST ${AUTHORIZED} \\\n  -H "Content-Type: application/json" \\\n  http://localhost:8000/provision/acestream`;
  line(140, provision, ({ stdout, stderr }) => {
    expect(JSON.parse(stdout)).toMatchObject({ container_id: expect.stringMatching(/./), host_http_port: expect.any(Number) });
    expect(stderr).toMatch(/real\s+0m\d\./);
  });
  line(145, 'curl http://localhost:8000/metrics | grep orch_provision', fine(/^orch_provision_total\{kind="acestream"\} [1-9]/m));
  line(151, `curl -X POST ${AUTHORIZED} \\\n  http://localhost:8000/scale/10`, async (result) => {
    // The maximum.
    expect(json(result)).toEqual({ scaled_to: 3 });
    await until('three engines', async () => (await engines()).length === 3);
  });
  const health = `curl ${AUTHORIZED} \\\n  http://localhost:8000/engines | jq '.[] | {id: .container_id, health: .health_status, streams: .streams | length}'`;
  line(163, health, async ({ stdout }) => {
    const [{ container_id: id }] = await engines();
    expect(JSON.parse(`[${stdout.replaceAll('}\n{', '},{')}]`)).toContainEqual({ id, health: 'healthy', streams: 0 });
  });
  let deleted: string;
  line(
    170,
    `curl -X DELETE ${AUTHORIZED} \\\n  http://localhost:8000/containers/{container_id}`,
    (result) => expect(json(result)).toEqual({ deleted }),
    async () => ['{container_id}', (deleted = (await engines())[0].container_id)],
  );
  line(174, GC, (result) => expect(json(result)).toMatchObject({ status: 'ok' }));
});

describe('3. High latency in API responses', () => {
  line(192, `time curl ${AUTHORIZED} http://localhost:8000/engines`, ({ stderr }) => expect(stderr).toMatch(/real\s+0m\d\./));
  line(193, `time curl ${AUTHORIZED} http://localhost:8000/streams`, ({ stderr }) => expect(stderr).toMatch(/real\s+0m\d\./));
  line(
    196,
    'curl http://localhost:8000/metrics | grep orch_api_duration',
    fine(/orch_api_duration_seconds_bucket\{.*endpoint="\/engines"/),
  );
  it('line 206: Cache engine list for 5 seconds', async () => {
    expect((await fetch(`${host.apiUrl}/engines`)).headers.get('cache-control')).toBe('max-age=5');
  });
  it('line 207: Use ETags for conditional requests', async () => {
    const { headers } = await fetch(`${host.apiUrl}/engines`);
    expect((await fetch(`${host.apiUrl}/engines`, { headers: { 'If-None-Match': headers.get('etag')! } })).status).toBe(304);
  });
  line(218, 'ls -lh orchestrator.db', fine(/orchestrator\.db/));
  line(221, 'sqlite3 orchestrator.db "PRAGMA integrity_check"', fine(/^ok$/m));
  line(222, 'sqlite3 orchestrator.db "VACUUM"', fine(/^$/));
  line(228, 'sqlite3 orchestrator.db "VACUUM"', fine(/^$/));
  line(229, 'sqlite3 orchestrator.db "ANALYZE"', fine(/^$/));
  line(232, GC, (result) => expect(json(result)).toMatchObject({ status: 'ok' }));
  it('line 242: Return 202 Accepted for events instead of 200 OK', async () => {
    const [{ host: name, port }] = await until('an engine', async () => (await engines()).length > 0 && engines());
    const key = contentId(0xe);
    const event = {
      engine: { host: name, port },
      stream: { key_type: 'content_id', key },
      session: {
        playback_session_id: 'p',
        stat_url: `http://${name}:${port}/ace/stat/p`,
        command_url: `http://${name}:${port}/ace/cmd/p`,
        is_live: 1,
      },
    };
    const send = (path: string, body: object): Promise<ShellResult> =>
      host.shell(
        `curl -s -o /dev/null -w '%{http_code}' -X POST ${AUTHORIZED} -H "Content-Type: application/json" http://localhost:8000/events/${path} -d '${JSON.stringify(body)}'`,
      );
    expect((await send('stream_started', event)).stdout).toBe('202');
    expect((await send('stream_ended', { stream_id: `${key}|p` })).stdout).toBe('202');
  });
});

describe('4. Circuit breaker opens frequently', () => {
  line(255, `${READY} | jq '.circuit_state'`, fine(/^"closed"$/m));
  line(259, 'curl http://localhost:8000/metrics | grep circuit_breaker', fine(/^orch_circuit_breaker_\w+\{.*\} 0$/m));
  it.skipIf(STACK_MISSING !== null)('line 269: systemctl restart docker', async () => {
    await stack.docker.stop('SIGTERM');
    stack.docker.launch();
    await stack.docker.untilAnswers();
    await stack.untilReady();
    await until('healthy engines', async () => (await engines()).some(({ health_status: health }) => health === 'healthy'), 30_000);
  });
  line(272, 'docker-compose restart docker', ({ code }) => expect(code).toBe(0));
});

describe('5. VPN connection issues', () => {
  line(296, VPN_STATUS, (result) => expect(json(result)).toMatchObject({ enabled: false, status: 'disabled' }));
  line(300, 'docker logs gluetun --tail 50', fine(/gluetun is running/));
  line(
    303,
    'docker exec <engine_container> curl -I https://www.google.com',
    fine(/^HTTP\/1\.1 200/),
    // This machine replaces the internet, under its address in the engine's network.
    async () => {
      const gateway = `$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}')`;
      const { container_name: name } = (await engines())[0];
      return [
        '<engine_container> curl -I https://www.google.com',
        `${name} curl -I http://${gateway}:${new URL(host.proxyUrl).port}/health`,
      ];
    },
  );
  line(309, 'docker-compose restart gluetun', ({ code }) => expect(code).toBe(0));
});

describe('Before high load', () => {
  line(328, 'curl http://localhost:8000/health', (result) => expect(json(result)).toMatchObject({ status: 'ok' }));
  line(329, 'curl http://localhost:8080/ace/status', (result) => expect(json(result)).toMatchObject({ status: 'ok', streams: 0 }));
  line(332, 'docker system df', fine(/^Images +\d/m));
  line(333, 'docker stats --no-stream', fine(/acestream-/));
  line(336, `curl -X POST ${AUTHORIZED} \\\n  http://localhost:8000/scale/$EXPECTED_CONCURRENT_STREAMS`, async (result) => {
    expect(json(result)).toEqual({ scaled_to: 2 });
    await until('two engines', async () => (await engines()).length === 2);
  });
  line(340, `${READY} | jq '.circuit_state'`, fine(/^"closed"$/m));
  line(344, VPN_STATUS, (result) => expect(json(result)).toMatchObject({ enabled: false }));
});

describe('During high load', () => {
  let viewer: Viewer;
  beforeAll(async () => {
    viewer = await Viewer.open(`${host.proxyUrl}/ace/getstream?id=${contentId(1)}`, { keep: false });
    await viewer.untilBytes(100_000);
    await until(
      'the stream is reported',
      async () => ((await (await fetch(`${host.apiUrl}/streams?status=started`)).json()) as unknown[]).length === 1,
    );
  });
  afterAll(() => viewer?.leave());

  it.each([
    [352, `watch -n 5 'curl -s http://localhost:8000/metrics | grep orch_api_duration_seconds'`, /orch_api_duration_seconds/],
    [355, `watch -n 5 'curl -s ${AUTHORIZED} http://localhost:8000/streams?status=started | jq "length"'`, /\b1\b.*$/s],
    [
      358,
      `watch -n 5 'curl -s ${AUTHORIZED} http://localhost:8000/engines | jq "[.[] | .health_status] | group_by(.) | map({status: .[0], count: length})"'`,
      /"status": "healthy"/,
    ],
  ])('line %i: %s', async (_, lines, wanted) => {
    await host.shellUntilPrinted(lines, wanted);
  });
  it.skipIf(STACK_MISSING !== null)(`line 361: watch -n 5 'docker stats --no-stream'`, () =>
    host.shellUntilPrinted(`watch -n 5 'docker stats --no-stream'`, /acestream-/),
  );
});

describe('After high load', () => {
  line(368, GC, (result) => expect(json(result)).toMatchObject({ status: 'ok' }));
  line(372, 'docker-compose logs orchestrator | grep ERROR', ({ stdout }) => expect(stdout).not.toContain('"level":"INFO"'));
  line(373, 'docker-compose logs acexy | grep ERROR', ({ stdout }) => expect(stdout).not.toContain('"level":"INFO"'));
  line(376, 'docker ps -a --filter "status=exited"', ({ code, stdout }) =>
    expect([code, stdout.trim().split('\n')]).toEqual([0, [expect.stringContaining('NAMES')]]),
  );
  line(379, 'ls -lh orchestrator.db', fine(/orchestrator\.db/));
});

describe('Getting help', () => {
  line(548, 'docker version', fine(/Server:/));
  line(549, 'docker-compose version', fine(/version/i));
  line(556, 'docker-compose ps', fine(/orchestrator/));
  line(559, 'curl -s http://localhost:8000/health || echo "Orchestrator not responding"', fine(/"status":"ok"/));
  line(562, `curl -s ${AUTHORIZED} http://localhost:8000/engines | jq`, fine(/"health_status": "healthy"/));
  line(565, `curl -s ${AUTHORIZED} http://localhost:8000/streams?status=started | jq`, fine(/^\[/));
  line(568, 'curl -s http://localhost:8000/metrics | grep -E "orch_|circuit_"', fine(/^orch_circuit_state/m));
  line(572, 'docker-compose logs --tail=50 orchestrator', fine(/"level":"INFO"/));
  line(575, 'docker-compose logs --tail=50 acexy 2>/dev/null || echo "Acexy not in compose"', fine(/"level":"INFO"/));
  line(578, 'docker-compose logs --tail=50 docker', fine(/docker is running/));

  it.skipIf(STACK_MISSING !== null)('line 591: LOG_LEVEL=DEBUG ACEXY_LOG_LEVEL=DEBUG … docker-compose restart', async () => {
    stack.setting('LOG_LEVEL=DEBUG\nACEXY_LOG_LEVEL=DEBUG');
    expect((await host.shell('docker-compose restart')).code).toBe(0);
    await stack.untilReady();
    for (const service of ['orchestrator', 'acexy']) fine(/"level":"DEBUG"/)(await host.shell(`docker-compose logs ${service}`));
  });
  it.skipIf(STACK_MISSING !== null).each([
    [602, 'docker-compose logs -f', /gluetun is running[^]*"level"|"level"[^]*gluetun is here/],
    [605, 'docker-compose logs -f orchestrator', /"level":"DEBUG"/],
    [611, 'docker-compose logs -f orchestrator acexy', /acexy[^]*orchestrator|orchestrator[^]*acexy/],
  ])('line %i: %s', async (_, lines, wanted) => {
    await host.shellUntilPrinted(lines, wanted);
  });
  it.skipIf(STACK_MISSING !== null)(
    'line 608: docker-compose logs -f orchestrator | grep ERROR, and line 249: "Circuit breaker open" messages in logs',
    async () => {
      const provision = `curl -s -X POST ${AUTHORIZED} -H "Content-Type: application/json" -d '{"image":"no-such-image"}' http://localhost:8000/provision/acestream`;
      await host.shell(`for try in 1 2 3 4 5; do ${provision}; done`);
      const output = await host.shellUntilPrinted('docker-compose logs -f orchestrator | grep ERROR', /Circuit breaker open/);
      expect(output).not.toContain('"level":"INFO"');
      // line 248: Orchestrator stops accepting provision requests
      expect(json(await host.shell(provision))).toMatchObject({ detail: { error: 'provisioning_blocked', code: 'circuit_breaker' } });
      fine(/^"open"$/m)(await host.shell(`${READY} | jq '.circuit_state'`));
      fine(/reset/)(
        await host.shell(`curl -s -X POST ${AUTHORIZED} "http://localhost:8000/health/circuit-breaker/reset?operation_type=general"`),
      );
    },
  );
});

describe.skipIf(STACK_MISSING !== null)('Emergency procedures', () => {
  it('line 520: docker-compose stop acexy-1 … up -d acexy-1 … restart orchestrator: viewers of another proxy do not notice', async () => {
    const viewer = await Viewer.open(`${host.proxyUrl}/ace/getstream?id=${contentId(2)}`, { keep: false });
    await viewer.untilBytes(100_000);
    const { code, stdout, stderr } = await host.shell(
      [
        'set -e',
        'docker-compose stop acexy-1',
        "echo 'ACEXY_LOG_LEVEL=INFO' >>.env # 2. Update configuration",
        'docker-compose up -d acexy-1',
        'until curl -s http://acexy-1:8080/ace/status; do sleep 0.1; done',
        'docker-compose restart orchestrator',
      ].join('\n'),
    );
    expect([code, stderr, stdout]).toEqual([0, expect.anything(), expect.stringContaining('"status":"ok"')]);
    await stack.untilReady();
    await viewer.untilBytes(viewer.bytes + 300_000);
    expect(viewer.ended).toBe(false);
    await until(
      'the orchestrator lists the stream',
      async () => ((await (await fetch(`${host.apiUrl}/streams?status=started`)).json()) as unknown[]).length === 1,
    );
    await viewer.leave();
  });

  it('line 500: docker-compose stop orchestrator … gc || docker rm -f … start orchestrator … curl engines', async () => {
    const before = (await engines()).map(({ container_id: id }) => id);
    const { code, stderr } = await host.shell(
      `set -e\ndocker-compose stop orchestrator\n${GC} || ${REMOVE_ALL}\ndocker-compose start orchestrator`,
    );
    expect([code, stderr]).toEqual([0, expect.anything()]);
    await stack.untilReady();
    const after = await until(
      'new engines after the reset',
      async () =>
        (await engines()).length > 0 && json<EngineState[]>(await host.shell(`curl ${AUTHORIZED} \\\n  http://localhost:8000/engines`)),
    );
    expect(after.map(({ container_id: id }) => id).filter((id) => before.includes(id))).toEqual([]);
    fine(/^[1-9]/)(await host.shell('sqlite3 orchestrator.db "SELECT count(*) FROM streams"'));
  });

  it('line 477: docker-compose down … docker rm -f … image prune -f … volume prune -f … up -d … curl health … curl status', async () => {
    const { code, stdout, stderr } = await host.shell(
      [
        'set -e',
        'docker-compose down',
        REMOVE_ALL,
        'docker image prune -f',
        'docker volume prune -f',
        'docker ps -aq | wc -l',
        'docker-compose up -d',
      ].join('\n'),
    );
    expect([code, stderr, stdout.trim().split('\n').at(-1)]).toEqual([0, expect.anything(), '0']);
    await stack.untilReady();
    fine(/"status":"ok"/)(await host.shell('curl http://localhost:8000/health'));
    fine(/"status":"ok"/)(await host.shell('curl http://localhost:8080/ace/status'));
    await until('engines', async () => (await engines()).length > 0);
  });
});

it.skipIf(STACK_MISSING !== null)(
  'line 583: chmod +x collect_diagnostics.sh; ./collect_diagnostics.sh > diagnostics_$(date +%Y%m%d_%H%M%S).txt',
  async () => {
    copyFileSync(join(ROOT, 'scripts/collect_diagnostics.sh'), join(stack.folder, 'collect_diagnostics.sh'));
    cpSync(join(ROOT, 'scripts'), join(stack.folder, 'scripts'), { recursive: true });
    const { code, stderr, stdout } = await host.shell(
      'chmod +x collect_diagnostics.sh\n./collect_diagnostics.sh > diagnostics_$(date +%Y%m%d_%H%M%S).txt\ncat diagnostics_*.txt',
    );
    expect([code, stderr]).toEqual([0, expect.anything()]);
    const headings = [
      'System Information',
      'Docker Resources',
      'Services Status',
      'Orchestrator Health',
      'Engines',
      'Active Streams',
      'Metrics',
      'Recent Logs',
    ];
    for (const heading of headings) expect(stdout).toContain(`=== ${heading} ===`);
    expect(stdout).not.toContain(stack.apiKey);
    expect(readFileSync(join(stack.folder, '.env'), 'utf8')).toContain(stack.apiKey);
  },
);
