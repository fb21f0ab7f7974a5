import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OrchestratorProcess } from '../support/orchestrator-process.js';
import { freePorts } from '../support/ports.js';
import { ROOT } from '../support/service-process.js';
import { type ShellResult, runShell } from '../support/shell.js';
import { FakeCommands } from '../support/fake-commands.js';
import { until } from '../support/until.js';

const HEADINGS = [
  ...['System Information', 'Docker Resources', 'Services Status', 'Orchestrator Health', 'Acexy Health'],
  ...['Engines', 'Active Streams', 'Metrics', 'Recent Logs'],
];
/** Secrets that the report must not contain: [source, value]. */
const SECRETS = {
  apiKey: 'api-key-0123456789abcdef',
  gluetunKey: 'gluetun control key',
  gluetunPassword: 'p4ss$w0rd/&*[x]',
  wireguard: 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=',
  preshared: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
  vpnUser: 'vpn-user-7731',
  vpnPassword: 'vpn-password-9942',
  control: 'control-server-key-5566',
  bearer: 'bearer-token-of-a-user',
  inUrl: 'hunter2',
  viewerToken: 'viewer-token-0123456789',
  viewerTokenBelow: 'viewer-token-on-its-own-line',
  listUser: 'list-user-4711',
  listPassword: 'list&pass word/1',
  ofCompose: 'secret-of-compose$only',
  ofContainer: 'only-in-a-"container"<1>',
  inFile: 'token-in-a-file-778899',
};
/** Forms in which a service or a tool may write a secret. */
const ENCODINGS: Record<string, (secret: string) => string> = {
  plain: (secret) => secret,
  'in JSON': (secret) => JSON.stringify(secret).slice(1, -1),
  'in JSON within JSON': (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  "in Docker's JSON": (secret) => inGoJson(secret),
  'in a URL': encodeURIComponent,
  'in a URL, with lower-case digits': (secret) => encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
  'in a form': (secret) => new URLSearchParams({ x: secret }).toString().slice(2),
  'in a URL twice': (secret) => encodeURIComponent(encodeURIComponent(secret)),
  'in Compose': (secret) => secret.replaceAll('$', '$$$$'),
  'in HTML': (secret) => secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  'in Base64': (secret) => Buffer.from(secret).toString('base64'),
  'in Base64 after a name': (secret) => Buffer.from(`me:${secret}`).toString('base64'),
  'in Base64 of a URL, before other text': (secret) => Buffer.from(`u:${secret}:more`).toString('base64url'),
};
const inGoJson = (secret: string): string =>
  JSON.stringify(secret).slice(1, -1).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003e');
/** Secrets that the script must know by their value, because nothing near them looks like one. */
const KNOWN = Object.entries(SECRETS).filter(([name]) => !['bearer', 'inUrl', 'preshared'].includes(name));
const CONTENT = 'dd1e67078381739d14beca697356ab76d49d1a2d';

let commands: FakeCommands;
let folder: string;
beforeEach(() => {
  commands = new FakeCommands();
  folder = mkdtempSync(join(tmpdir(), 'diagnostics-'));
});
afterEach(() => {
  commands.remove();
  rmSync(folder, { recursive: true, force: true });
});

const run = (option = '', env: Record<string, string> = {}): Promise<ShellResult> =>
  runShell(`${ROOT}/scripts/collect_diagnostics.sh ${option}`, {
    cwd: folder,
    env: { PATH: commands.folder, ORCHESTRATOR_URL: 'http://127.0.0.1:9', ACEXY_URL: 'http://127.0.0.1:9', ...env },
  });

/** Logs with secrets and with useful lines. */
const LOG = [
  `{"level":"INFO","key":"${CONTENT}","msg":"stream started"}`,
  `Authorization: Bearer ${SECRETS.bearer}`,
  `GET http://user:${SECRETS.inUrl}@tracker.example/announce?token=${SECRETS.bearer}`,
  `using ${SECRETS.gluetunPassword} and ${SECRETS.apiKey}`,
  `peer with ${SECRETS.preshared}`,
  'open files of USER=root under /root',
  ...KNOWN.flatMap(([, secret]) => Object.values(ENCODINGS).flatMap((encode) => [encode(secret), `seen ${encode(secret)} there`])),
  `GET /live/${SECRETS.listUser}/${encodeURIComponent(SECRETS.listPassword)}/1.ts`,
  'GET /t/a-token-that-was-revoked/ace/getstream?username=somebody-else&id=1 from http://h/?u=%3Fpassword%3Dsomebody-s&x=1',
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC',
  '-----END OPENSSH PRIVATE KEY-----',
];

function project(): void {
  writeFileSync(join(folder, 'docker-compose.yml'), '');
  writeFileSync(
    join(folder, '.env'),
    `API_KEY=${SECRETS.apiKey}\nGLUETUN_API_KEY="${SECRETS.gluetunKey}"\nGLUETUN_API_PASSWORD='${SECRETS.gluetunPassword}' # a comment\nMIN_REPLICAS=7\n` +
      `ACEXY_TOKENS="${SECRETS.viewerToken},\n${SECRETS.viewerTokenBelow}"\nOTHER_TOKENS_FILE=${join(folder, 'tokens')}\n` +
      `ACEXY_PLAYLIST_SOURCES=http://tv.example/get.php?username=${SECRETS.listUser}&password=${encodeURIComponent(SECRETS.listPassword)}&type=m3u\n`,
  );
  writeFileSync(join(folder, 'tokens'), `${SECRETS.inFile}\n`);
  writeFileSync(
    join(folder, 'gluetun.env'),
    `WIREGUARD_PRIVATE_KEY=${SECRETS.wireguard}\nOPENVPN_USER=${SECRETS.vpnUser}\nOPENVPN_PASSWORD=${SECRETS.vpnPassword}\nSERVER_COUNTRIES=Iceland\n`,
  );
  mkdirSync(join(folder, 'docker/gluetun'), { recursive: true });
  writeFileSync(join(folder, 'docker/gluetun/auth-config.toml'), `[[roles]]\napikey = "${SECRETS.control}"\n`);
}

const ofCompose = (prefix: string): string => `
  "${prefix}version") echo Compose version ;;
  "${prefix}config --services") printf 'orchestrator\\nacexy\\n' ;;
  "${prefix}config") cat .env gluetun.env docker/gluetun/auth-config.toml; printf '      ACEXY_ORCH_APIKEY: %s\\n' '${SECRETS.ofCompose.replaceAll('$', '$$$$')}' ;;
  "${prefix}ps -q") echo container ;;
  "${prefix}ps") echo 'NAME STATE' ;;
  "${prefix}exec -T docker"*) exit 1 ;;
  "${prefix}logs "*) cat <<'LOG'
${LOG.join('\n')}
LOG
  ;;`;
const ofDocker = `
  "inspect -f "*) printf '%s\\n' '["PATH=/bin","API_KEY=${SECRETS.apiKey}","WIREGUARD_PRESHARED_KEY=${SECRETS.preshared}","OPENVPN_PASSWORD=${inGoJson(SECRETS.ofContainer)}"]' ;;
  inspect*) printf '"Env": [ "API_KEY=%s", "WIREGUARD_PRESHARED_KEY=%s", "NODE_ENV=production" ]\\n' '${SECRETS.apiKey}' '${SECRETS.preshared}' ;;
  "ps -aq "*) echo engine ;;
  "system df") echo 'Images 4' ;;`;

describe.each(['docker compose', 'docker-compose'])('with %s', (compose) => {
  beforeEach(() => {
    project();
    if (compose === 'docker compose') commands.add('docker', ofCompose('compose ') + ofDocker);
    else commands.add('docker', `"compose "*) exit 1 ;;${ofDocker}`).add('docker-compose', ofCompose(''));
  });

  it('the report has every section, no secret, and the useful lines', async () => {
    const { code, stdout, stderr } = await run();
    expect([code, stderr]).toEqual([0, '']);
    expect([...stdout.matchAll(/^=== (.+) ===$/gm)].map(([, heading]) => heading)).toEqual(HEADINGS);
    expect(stdout).toContain('NAME STATE');
    expect(stdout).toContain(CONTENT);
    expect(secretsIn(stdout)).toEqual([]);
  });

  it('the bundle has logs, settings and containers, and no secret in any file', async () => {
    const { code, stdout, stderr } = await run('--bundle bundle.tar.gz', { ACEXY_ORCH_APIKEY: SECRETS.apiKey });
    expect([code, stderr, stdout]).toEqual([0, '', `${folder}/bundle.tar.gz\n`]);
    execFileSync('tar', ['-xzf', 'bundle.tar.gz'], { cwd: folder });
    const files = Object.fromEntries(
      readdirSync(join(folder, 'bundle')).map((name) => [name, readFileSync(join(folder, 'bundle', name), 'utf8')]),
    );
    expect(Object.keys(files).sort()).toEqual(['compose.txt', 'containers.txt', 'logs.txt', 'report.txt', 'settings.txt']);
    for (const [name, text] of Object.entries(files)) expect([name, secretsIn(text)]).toEqual([name, []]);
    expect(files['settings.txt']).toMatch(/API_KEY=\[redacted\][^]*MIN_REPLICAS=7[^]*SERVER_COUNTRIES=Iceland/);
    expect(files['containers.txt']).toContain('NODE_ENV=production');
    expect(files['logs.txt']).toMatch(new RegExp(`${CONTENT}[^]*open files of USER=\\[redacted\\] under /root`));
    expect(files['compose.txt']).toContain('Iceland');
  });
});

describe('when a part is unavailable', () => {
  it('without Docker, compose and services, each section says what is missing', async () => {
    const { code, stdout } = await run();
    expect([code, [...stdout.matchAll(/^=== (.+) ===$/gm)].length]).toEqual([0, HEADINGS.length]);
    expect(stdout).toContain('(docker is not installed)');
    expect(stdout).toContain('(neither docker compose nor docker-compose is installed)');
    expect(stdout).toContain('(Orchestrator not responding at http://127.0.0.1:9/health)');
    expect(stdout).toContain('(Acexy not responding at http://127.0.0.1:9/ace/status)');
  });

  it('it does not wait for a Docker that hangs', async () => {
    commands.add('docker', '*) exec sleep 100 ;;');
    const startedAt = performance.now();
    const { code, stdout } = await run('', { COMMAND_LIMIT_S: '0.2' });
    expect([code, stdout]).toEqual([0, expect.stringContaining('(docker did not finish within 0.2 s)')]);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('with the proxy down it reports engines, health and metrics of the orchestrator', async () => {
    const orchestrator = await OrchestratorProcess.start({ MIN_REPLICAS: '1', API_KEY: SECRETS.apiKey });
    try {
      await until('an engine', async () => (await orchestrator.get<unknown[]>('/engines')).length === 1);
      const [proxyPort] = await freePorts(1);
      writeFileSync(
        join(folder, '.env'),
        `APP_PORT=${orchestrator.port}\nACEXY_LISTEN_ADDR=127.0.0.1:${proxyPort}\nAPI_KEY=${SECRETS.apiKey}\n`,
      );
      const { code, stdout } = await run('', { ORCHESTRATOR_URL: '', ACEXY_URL: '' });
      expect(code).toBe(0);
      expect(stdout).toMatch(/"health_status": "healthy"/);
      expect(stdout).toMatch(/"circuit_state": "closed"/);
      expect(stdout).toMatch(/^orch_circuit_state/m);
      expect(stdout).toContain(`(Acexy not responding at http://localhost:${proxyPort}/ace/status)`);
      expect(secretsIn(stdout)).toEqual([]);
    } finally {
      await orchestrator.stop();
    }
  });

  it('it rejects an unknown option and lists the known ones', async () => {
    const { code, stderr } = await run('--help');
    expect([code, stderr]).toEqual([64, expect.stringContaining('--bundle [FILE.tar.gz]')]);
  });
});

function secretsIn(text: string): string[] {
  const planted = [
    ...Object.entries(SECRETS).map(([name, secret]) => ({ name, written: secret })),
    ...KNOWN.flatMap(([name, secret]) =>
      Object.entries(ENCODINGS).map(([form, encode]) => ({ name: `${name} ${form}`, written: encode(secret) })),
    ),
    ...['MIIEvQ', 'a-token-that-was-revoked', 'somebody-else', 'somebody-s'].map((written) => ({ name: written, written })),
  ];
  return planted.filter(({ written }) => text.includes(written)).map(({ name }) => name);
}
