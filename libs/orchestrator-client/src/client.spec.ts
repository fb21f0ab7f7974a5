import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createOrchestratorClient } from './client.js';
import {
  CallNotSupportedError,
  OrchestratorReplyError,
  OrchestratorTimeoutError,
  ProvisioningBlockedError,
  UnauthorizedError,
} from './errors.js';
import {
  clientOf,
  emptyReport,
  engine,
  granted,
  leaseRequest,
  reply,
  reset,
  ScriptedOrchestrator,
  startedEvent,
  type Answer,
} from './scripted-orchestrator.test-kit.js';

const blocked = {
  detail: {
    error: 'provisioning_blocked',
    code: 'max_capacity',
    message: 'all 20 engines are busy',
    recovery_eta_seconds: 30,
    can_retry: false,
    should_wait: true,
  },
};
const provisioned = {
  container_id: 'c',
  container_name: 'n',
  host_http_port: 19001,
  container_http_port: 19001,
  container_https_port: 45001,
};

async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  );
}

describe('the calls', () => {
  it('leases an engine', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, granted));
    expect(await clientOf(orchestrator).lease(leaseRequest)).toEqual({ kind: 'granted', lease: granted });
    expect(orchestrator.requests[0]).toMatchObject({ method: 'POST', path: '/engines/lease', body: leaseRequest });
    expect(orchestrator.requests[0].headers.authorization).toBe('Bearer secret-key');
  });

  it('hears that it must wait for one', async () => {
    const waiting = { state: 'waiting', retry_after_ms: 700, position: 2, provisioning: 1 };
    const client = clientOf(await ScriptedOrchestrator.listening((response) => reply(response, 202, waiting)));
    expect(await client.lease(leaseRequest)).toEqual({ kind: 'waiting', waiting });
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'waiting' }]);
  });

  it.each([200, 204, 404])('is content with any end of a lease: %d', async (status) => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => response.writeHead(status).end());
    await clientOf(orchestrator).releaseLease('a/b');
    expect(orchestrator.requests).toMatchObject([{ method: 'DELETE', path: '/engines/lease/a%2Fb' }]);
  });

  it('reports and learns which engines to leave', async () => {
    const answer = {
      boot_id: emptyReport.boot_id,
      ack_seq: 7,
      leave: [{ container_id: 'a', reason: 'draining', deadline: '2026-01-01T12:00:20.000Z' }],
    };
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, answer));
    expect(await clientOf(orchestrator).report('p-1', emptyReport)).toEqual(answer);
    expect(orchestrator.requests).toMatchObject([{ method: 'PUT', path: '/proxies/p-1/report', body: emptyReport }]);
  });

  it('provisions an engine, with and without wishes', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, provisioned));
    const client = clientOf(orchestrator);
    expect(await client.provisionAcestream()).toEqual(provisioned);
    await client.provisionAcestream({ host_port: 19001 });
    expect(orchestrator.requests.map((request) => request.body)).toEqual([{}, { host_port: 19001 }]);
  });

  it.each([200, 202, 204])('takes any 2xx for an event: %d', async (status) => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => response.writeHead(status).end());
    const client = clientOf(orchestrator);
    await client.streamStarted(startedEvent);
    await client.streamEnded({ stream_id: 's', reason: 'no viewers' });
    expect(orchestrator.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['POST', '/events/stream_started', startedEvent],
      ['POST', '/events/stream_ended', { stream_id: 's', reason: 'no viewers' }],
    ]);
  });

  it('keeps a path in front of every call and needs no key', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, []));
    await clientOf({ url: `${orchestrator.url}/orch/` }, { apiKey: undefined }).engines();
    expect(orchestrator.requests[0].path).toBe('/orch/engines');
    expect(orchestrator.requests[0].headers).not.toHaveProperty('authorization');
  });

  it('goes straight to the orchestrator, whatever proxy the environment names', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    vi.stubEnv('no_proxy', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, [engine('a')]));
    expect((await clientOf(orchestrator).engines()).engines).toHaveLength(1);
  });

  it('refuses a URL that is none at once', () => {
    expect(() => createOrchestratorClient({ url: 'orchestrator', timeoutMs: 1, engineCacheTtlMs: 1 })).toThrow(TypeError);
  });

  it('tells how long a call took', async () => {
    let clock = 1000;
    const orchestrator = await ScriptedOrchestrator.listening((response) => {
      clock += 42;
      reply(response, 200, granted);
    });
    const client = clientOf(orchestrator, { now: () => clock });
    await client.lease(leaseRequest);
    expect(client.calls).toEqual([{ endpoint: 'lease', outcome: 'ok', durationMs: 42 }]);
  });
});

describe('retries', () => {
  const repeatable = [
    ['lease', (client: ReturnType<typeof clientOf>) => client.lease(leaseRequest)],
    ['release', (client: ReturnType<typeof clientOf>) => client.releaseLease('l')],
    ['report', (client: ReturnType<typeof clientOf>) => client.report('p', emptyReport)],
    ['engines', (client: ReturnType<typeof clientOf>) => client.engines()],
    ['stream_started', (client: ReturnType<typeof clientOf>) => client.streamStarted(startedEvent)],
    ['stream_ended', (client: ReturnType<typeof clientOf>) => client.streamEnded({ stream_id: 's' })],
  ] as const;

  it.each(repeatable)('%s is repeated, twice at most, with the same body', async (_name, call) => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reset(response));
    expect(await failure(call(clientOf(orchestrator)))).toMatchObject({ code: 'orchestrator_unreachable' });
    expect(orchestrator.requests).toHaveLength(3);
    expect(orchestrator.requests[2]).toMatchObject({ body: orchestrator.requests[0].body });
    expect(orchestrator.requests[2].headers.authorization).toBe('Bearer secret-key');
  });

  it.each<[string, Answer]>([
    ['a reset', (response) => reset(response)],
    ['502', (response) => reply(response, 502, {})],
    ['a reply cut off', (response) => (response.writeHead(200, { 'content-length': 500 }).write('{'), response.socket?.destroySoon())],
  ])('bring a lease through after %s', async (_name, fail) => {
    const orchestrator = await ScriptedOrchestrator.listening((response, request, number) =>
      number < 2 ? fail(response, request, number) : reply(response, 200, granted),
    );
    expect(await clientOf(orchestrator).lease(leaseRequest)).toMatchObject({ kind: 'granted' });
    expect(orchestrator.requests).toHaveLength(3);
  });

  it.each<[string, Answer]>([
    ['a reset', (response) => reset(response)],
    ['502', (response) => reply(response, 502, {})],
  ])('never happen to provisioning, not even after %s', async (_name, answer) => {
    const orchestrator = await ScriptedOrchestrator.listening(answer);
    await failure(clientOf(orchestrator).provisionAcestream());
    expect(orchestrator.requests).toHaveLength(1);
  });

  it.each([
    [503, blocked],
    [400, { detail: 'key: too long' }],
    [401, { detail: 'Unauthorized' }],
    [404, { detail: 'Not Found' }],
  ])('do not happen after a considered no: %d', async (status, body) => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, status, body));
    await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(orchestrator.requests).toHaveLength(1);
  });

  it('never share a connection that may be dying with provisioning', async () => {
    const ports = new Set<number | undefined>();
    const orchestrator = await ScriptedOrchestrator.listening((response) => {
      ports.add(response.socket?.remotePort);
      reply(response, 200, provisioned);
    });
    const client = clientOf(orchestrator);
    await client.provisionAcestream();
    await client.provisionAcestream();
    expect(ports.size).toBe(2);
  });

  it('end when the budget of the client is spent, so that a dead orchestrator is not hammered', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reset(response));
    const client = clientOf(orchestrator);
    for (let call = 0; call < 50; call++) await failure(client.releaseLease('l'));
    // 50 calls, a burst of 5, and a fifth of the 50.
    expect(orchestrator.requests.length).toBeGreaterThanOrEqual(50 + 5 + 8);
    expect(orchestrator.requests.length).toBeLessThanOrEqual(50 + 5 + 10);
    const before = orchestrator.requests.length;
    await failure(client.releaseLease('l'));
    expect(orchestrator.requests.length - before).toBeLessThanOrEqual(2);
  });

  it('do not happen when the reply asks for a longer wait than is left', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) =>
      reply(response, 503, { detail: 'later' }, { 'retry-after': '60' }),
    );
    const error = await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(error).toMatchObject({ code: 'general_error', message: 'later', retryAfterSeconds: 60 });
    expect(orchestrator.requests).toHaveLength(1);
  });
});

describe('the limit of one exchange', () => {
  it('bounds a server that says nothing', async () => {
    const client = clientOf(await ScriptedOrchestrator.listening(() => undefined), { timeoutMs: 40 });
    const error = await failure(client.lease(leaseRequest));
    expect(error).toBeInstanceOf(OrchestratorTimeoutError);
    expect(error).toMatchObject({ code: 'orchestrator_timeout', limitMs: 40 });
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'orchestrator_timeout' }]);
  });

  it('bounds the attempts together: a reset late in the time leaves the next only the rest', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response, _request, number) => {
      if (number === 0) setTimeout(() => reset(response), 300);
    });
    const client = clientOf(orchestrator, { timeoutMs: 400 });
    const started = performance.now();
    expect(await failure(client.lease(leaseRequest))).toBeInstanceOf(OrchestratorTimeoutError);
    expect(performance.now() - started).toBeLessThan(650);
    expect(orchestrator.requests).toHaveLength(2);
  });

  it('bounds a reply that trickles', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const trickle = setInterval(() => response.write(' '), 5);
      response.once('close', () => clearInterval(trickle));
    });
    expect(await failure(clientOf(orchestrator, { timeoutMs: 80 }).report('p', emptyReport))).toBeInstanceOf(OrchestratorTimeoutError);
  });

  it('gives way to the caller, whose reason it is then, also between two attempts', async () => {
    const caller = new AbortController();
    const reason = new Error('the viewer left');
    const orchestrator = await ScriptedOrchestrator.listening((response) => {
      reset(response);
      setImmediate(() => caller.abort(reason));
    });
    const client = clientOf(orchestrator, { random: () => 0.99 });
    expect(await failure(client.lease(leaseRequest, caller.signal))).toBe(reason);
    expect(client.calls).toMatchObject([{ endpoint: 'lease', outcome: 'aborted' }]);
    expect(orchestrator.requests).toHaveLength(1);
  });

  it('is not even begun for a caller who has given up', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reply(response, 200, []));
    const client = clientOf(orchestrator);
    const reason = new Error('gone');
    expect(await failure(client.engines(AbortSignal.abort(reason)))).toBe(reason);
    expect(await failure(client.lease(leaseRequest, AbortSignal.abort(reason)))).toBe(reason);
    expect(orchestrator.requests).toHaveLength(0);
  });
});

describe('the errors', () => {
  it.each([401, 403])('a key refused with %d', async (status) => {
    const client = clientOf(await ScriptedOrchestrator.listening((response) => reply(response, status, { detail: 'no' })));
    for (const call of [
      client.lease(leaseRequest),
      client.report('p', emptyReport),
      client.provisionAcestream(),
      client.streamStarted(startedEvent),
    ]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(UnauthorizedError);
      expect(error).toMatchObject({ code: 'unauthorized', status });
    }
  });

  it.each([404, 405])('an orchestrator without leases and reports: %d', async (status) => {
    const client = clientOf(await ScriptedOrchestrator.listening((response) => reply(response, status, { detail: 'Method Not Allowed' })));
    for (const call of [client.lease(leaseRequest), client.report('p', emptyReport)]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(CallNotSupportedError);
      expect(error).toMatchObject({ code: 'call_not_supported', status });
    }
    expect(await failure(client.provisionAcestream())).toBeInstanceOf(OrchestratorReplyError);
  });

  it('provisioning blocked, with everything the orchestrator says about it', async () => {
    const client = clientOf(await ScriptedOrchestrator.listening((response) => reply(response, 503, blocked, { 'retry-after': '30' })));
    for (const call of [client.lease(leaseRequest), client.provisionAcestream()]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(ProvisioningBlockedError);
      expect(error).toMatchObject({
        status: 503,
        code: 'max_capacity',
        message: 'all 20 engines are busy',
        recoveryEtaSeconds: 30,
        canRetry: false,
        shouldWait: true,
        retryAfterSeconds: 30,
      });
    }
    expect(client.calls.map((call) => call.outcome)).toEqual(['max_capacity', 'max_capacity']);
  });

  it.each<[number, unknown, object]>([
    [
      500,
      {
        detail: {
          error: 'provisioning_failed',
          code: 'general_error',
          message: 'image not found',
          recovery_eta_seconds: 0,
          can_retry: false,
          should_wait: false,
        },
      },
      { code: 'general_error', message: 'image not found', canRetry: false, shouldWait: false, retryAfterSeconds: null },
    ],
    [
      500,
      { detail: 'Docker says no' },
      { code: 'general_error', message: 'Docker says no', canRetry: false, shouldWait: false, recoveryEtaSeconds: 0 },
    ],
    [503, { detail: 'VPN down' }, { code: 'general_error', message: 'VPN down', canRetry: true, shouldWait: true }],
    [
      503,
      { detail: { error: 'provisioning_blocked', code: 'moon_phase', recovery_eta_seconds: 1.5 } },
      { code: 'general_error', recoveryEtaSeconds: 2, canRetry: true },
    ],
    [503, { detail: { code: 'circuit_breaker', recovery_eta_seconds: null } }, { code: 'circuit_breaker', recoveryEtaSeconds: 0 }],
  ])('a refusal told otherwise: %d %j', async (status, body, expected) => {
    const client = clientOf(await ScriptedOrchestrator.listening((response) => reply(response, status, body)));
    const error = await failure(client.provisionAcestream());
    expect(error).toBeInstanceOf(ProvisioningBlockedError);
    expect(error).toMatchObject(expected);
  });

  it.each<[string, Answer, object]>([
    [
      'a page of some gateway',
      (response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>down</h1>'),
      { status: 503, detail: '<h1>down</h1>' },
    ],
    ['a bad request', (response) => reply(response, 400, { detail: 'key is too long' }), { status: 400, detail: 'key is too long' }],
    ['a redirect', (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), { status: 307 }],
    ['a success that is none of ours', (response) => response.writeHead(204).end(), { status: 204 }],
    [
      'a page with status 200',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>'),
      { status: 200 },
    ],
    ['a lease without an engine', (response) => reply(response, 200, { ...granted, engine: null }), { status: 200 }],
    ['a lease without an id', (response) => reply(response, 200, { ...granted, lease_id: undefined }), { status: 200 }],
    ['a reply without end', (response) => response.writeHead(200).end(Buffer.alloc(9 * 1024 * 1024, 'a')), { status: null }],
  ])('%s is a bad reply', async (_name, answer, expected) => {
    const error = await failure(clientOf(await ScriptedOrchestrator.listening(answer)).lease(leaseRequest));
    expect(error).toBeInstanceOf(OrchestratorReplyError);
    expect(error).toMatchObject({ code: 'orchestrator_bad_reply', ...expected });
  });

  it('never bear the key', async () => {
    const orchestrator = await ScriptedOrchestrator.listening((response) => reset(response));
    const error = await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret-key');
  });
});
