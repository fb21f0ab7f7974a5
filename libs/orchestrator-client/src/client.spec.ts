import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HttpOrchestratorClient } from './client.js';
import { OrchestratorTimeoutError } from './errors.js';
import { FakeClock } from '../../../test/doubles/fake-clock.js';
import {
  clientOf,
  emptyReport,
  engine,
  failure,
  granted,
  leaseRequest,
  provisioned,
  reset,
  startedEvent,
} from '../../../test/doubles/orchestrator-client.fixture.js';
import { replyJson, ScriptedServer } from '../../../test/doubles/scripted-server.js';

describe('the calls', () => {
  it('leases an engine', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, granted));
    expect(await clientOf(orchestrator).lease(leaseRequest)).toEqual({ kind: 'granted', lease: granted });
    expect(orchestrator.requests[0]).toMatchObject({ method: 'POST', path: '/engines/lease', body: leaseRequest });
    expect(orchestrator.requests[0].headers.authorization).toBe('Bearer secret-key');
  });

  it('returns the waiting answer when no engine is free', async () => {
    const waiting = { state: 'waiting', retry_after_ms: 700, position: 2, provisioning: 1, last_start_failure: 'no space left' };
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, 202, waiting)));
    expect(await client.lease(leaseRequest)).toEqual({ kind: 'waiting', waiting });
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'waiting' }]);
  });

  it('sends other calls however many wait for an engine', async () => {
    const orchestrator = await ScriptedServer.forTest((response, { path }) => {
      if (path !== '/engines/lease') replyJson(response, 200, { boot_id: emptyReport.boot_id, ack_seq: 7, leave: [] });
    });
    const client = clientOf(orchestrator);
    const waiting = Array.from({ length: 200 }, () => client.lease(leaseRequest).catch(() => 'ended with the test'));
    await vi.waitFor(() => expect(orchestrator.requests).toHaveLength(200), 10_000);
    expect(await client.report('p-1', emptyReport)).toMatchObject({ ack_seq: 7 });
    client.close();
    await Promise.all(waiting);
  });

  it('uses the connections of a hundred simultaneous calls again for the next hundred', async () => {
    const ports = new Set<number | undefined>();
    const answers: (() => void)[] = [];
    const orchestrator = await ScriptedServer.forTest((response) => {
      ports.add(response.socket?.remotePort);
      answers.push(() => replyJson(response, 200, granted));
      if (answers.length === 100) for (const answer of answers.splice(0)) answer();
    });
    const client = clientOf(orchestrator, { timeoutMs: 30_000 });
    for (let round = 0; round < 2; round += 1) await Promise.all(Array.from({ length: 100 }, () => client.lease(leaseRequest)));
    expect([orchestrator.requests.length, ports.size]).toEqual([200, 100]);
  });

  it.each([200, 204, 404])('releases a lease, also an unknown one: %d', async (status) => {
    const orchestrator = await ScriptedServer.forTest((response) => response.writeHead(status).end());
    await clientOf(orchestrator).releaseLease('a/b');
    expect(orchestrator.requests).toMatchObject([{ method: 'DELETE', path: '/engines/lease/a%2Fb' }]);
  });

  it('reports and learns which engines to leave', async () => {
    const answer = {
      boot_id: emptyReport.boot_id,
      ack_seq: 7,
      leave: [{ container_id: 'a', reason: 'draining', deadline: '2026-01-01T12:00:20.000Z' }],
      engines_wanted: 2,
    };
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, answer));
    expect(await clientOf(orchestrator).report('p-1', emptyReport)).toEqual(answer);
    expect(orchestrator.requests).toMatchObject([{ method: 'PUT', path: '/proxies/p-1/report', body: emptyReport }]);
  });

  it('provisions an engine, with and without options', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, provisioned));
    const client = clientOf(orchestrator);
    expect(await client.provisionAcestream()).toEqual(provisioned);
    await client.provisionAcestream({ host_port: 19001 });
    expect(orchestrator.requests.map((request) => request.body)).toEqual([{}, { host_port: 19001 }]);
  });

  it.each([200, 202, 204])('accepts any 2xx as the answer to an event: %d', async (status) => {
    const orchestrator = await ScriptedServer.forTest((response) => response.writeHead(status).end());
    const client = clientOf(orchestrator);
    await client.streamStarted(startedEvent);
    await client.streamEnded({ stream_id: 's', reason: 'no viewers' });
    expect(orchestrator.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['POST', '/events/stream_started', startedEvent],
      ['POST', '/events/stream_ended', { stream_id: 's', reason: 'no viewers' }],
    ]);
  });

  it('keeps the path of the base URL, and works without an API key', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, []));
    await clientOf({ url: `${orchestrator.url}/orch/` }, { apiKey: undefined }).engines();
    expect(orchestrator.requests[0].path).toBe('/orch/engines');
    expect(orchestrator.requests[0].headers).not.toHaveProperty('authorization');
  });

  it('ignores the HTTP proxy of the environment', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    vi.stubEnv('no_proxy', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, [engine('a')]));
    expect((await clientOf(orchestrator).engines()).engines).toHaveLength(1);
  });

  it('rejects an invalid URL at once', () => {
    expect(() => new HttpOrchestratorClient({ url: 'orchestrator', timeoutMs: 1, engineCacheTtlMs: 1 })).toThrow(TypeError);
  });

  it('reports the duration of a call', async () => {
    const clock = new FakeClock();
    const orchestrator = await ScriptedServer.forTest((response) => {
      clock.advance(42);
      replyJson(response, 200, granted);
    });
    const client = clientOf(orchestrator, { clock });
    await client.lease(leaseRequest);
    expect(client.calls).toEqual([{ endpoint: 'lease', outcome: 'ok', durationMs: 42 }]);
  });
});

describe('the time limit of a call', () => {
  it('applies to a silent server', async () => {
    const client = clientOf(await ScriptedServer.forTest(() => undefined), { timeoutMs: 40 });
    const error = await failure(client.lease(leaseRequest));
    expect(error).toBeInstanceOf(OrchestratorTimeoutError);
    expect(error).toMatchObject({ code: 'orchestrator_timeout', message: 'lease: no answer within 40 ms' });
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'orchestrator_timeout' }]);
  });

  it('applies to all attempts together: after a late reset, the next attempt has only the remaining time', async () => {
    const clock = new FakeClock();
    const orchestrator = await ScriptedServer.forTest((response, _request, number) => {
      clock.advance(number === 0 ? 59_000 : 1000);
      if (number === 0) reset(response);
    });
    const client = clientOf(orchestrator, { timeoutMs: 60_000, clock });
    expect(await failure(client.lease(leaseRequest))).toBeInstanceOf(OrchestratorTimeoutError);
    expect(orchestrator.requests).toHaveLength(2);
  });

  it('applies to a slow reply', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const trickle = setInterval(() => response.write(' '), 5);
      response.once('close', () => clearInterval(trickle));
    });
    expect(await failure(clientOf(orchestrator, { timeoutMs: 80 }).report('p', emptyReport))).toBeInstanceOf(OrchestratorTimeoutError);
  });

  it('an abort by the caller rejects with its reason, also between two attempts', async () => {
    const caller = new AbortController();
    const reason = new Error('the viewer left');
    const orchestrator = await ScriptedServer.forTest((response) => {
      reset(response);
      setImmediate(() => caller.abort(reason));
    });
    const client = clientOf(orchestrator, { random: () => 0.99 });
    expect(await failure(client.lease(leaseRequest, caller.signal))).toBe(reason);
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'aborted' }]);
    expect(orchestrator.requests).toHaveLength(1);
  });

  it('a call with an aborted signal sends nothing', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, []));
    const client = clientOf(orchestrator);
    const reason = new Error('gone');
    expect(await failure(client.engines(AbortSignal.abort(reason)))).toBe(reason);
    expect(await failure(client.lease(leaseRequest, AbortSignal.abort(reason)))).toBe(reason);
    expect(orchestrator.requests).toHaveLength(0);
  });
});
