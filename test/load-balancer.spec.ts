/** deploy/two-proxies/haproxy.cfg in a real HAProxy: which content it reads in a request. It sends all requests for a content to the same proxy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HAS_HAPROXY } from './support/haproxy.js';
import { ROOT } from './support/service-process.js';
import { until } from './support/until.js';

const cases = readFileSync(join(ROOT, 'apps/proxy/src/http/getstream.cases.tsv'), 'utf8')
  .split('\n')
  .map((line) => line.split('\t'))
  // HAProxy refuses a request with a fragment.
  .filter(([target, read]) => target.startsWith('/') && !target.includes('#') && (read === 'id' || read === 'infohash'));

describe.skipIf(!HAS_HAPROXY)('the load balancer of several proxies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const socketPath = join(folder, 'socket');
  let haproxy: ChildProcess;

  beforeAll(async () => {
    const config = readFileSync(join(ROOT, 'deploy/two-proxies/haproxy.cfg'), 'utf8');
    const [, rules] = /^frontend viewers\n {2}bind :8080\n([^]*?) {2}default_backend/m.exec(config)!;
    const frontend = `frontend viewers\n  bind unix@${socketPath}\n${rules}`;
    const answer = '  http-request return status 200 content-type text/plain lf-string "%[var(txn.content)]"\n';
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `defaults\n  mode http\n  timeout connect 9s\n  timeout client 9s\n  timeout server 9s\n${frontend}${answer}`,
    );
    haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });
    await until('haproxy listens', () => Promise.resolve(existsSync(socketPath)));
  });
  afterAll(async () => {
    haproxy.kill('SIGKILL');
    if (haproxy.exitCode === null && haproxy.signalCode === null) await once(haproxy, 'exit');
    rmSync(folder, { recursive: true });
  });

  it.each(cases)('sees the content in %s', async (path) => {
    const [reply] = (await once(request({ socketPath, path, agent: false }).end(), 'response')) as [IncomingMessage];
    expect(await text(reply)).toBe('b'.repeat(40));
  });
});
