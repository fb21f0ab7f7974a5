import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CallNotSupportedError, OrchestratorReplyError, ProvisioningBlockedError, UnauthorizedError } from './errors.js';
import {
  blocked,
  clientOf,
  emptyReport,
  granted,
  failure,
  leaseRequest,
  reset,
  startedEvent,
} from '../../../test/doubles/orchestrator-client.fixture.js';
import { replyJson, ScriptedServer, type Answer } from '../../../test/doubles/scripted-server.js';

describe('the errors', () => {
  it.each([401, 403])('an API key rejected with %d', async (status) => {
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, status, { detail: 'no' })));
    for (const call of [
      client.lease(leaseRequest),
      client.report('p', emptyReport),
      client.provisionAcestream(),
      client.streamStarted(startedEvent),
    ]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(UnauthorizedError);
      expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining(`HTTP ${status}`) });
    }
  });

  it.each([404, 405])('an orchestrator without leases and reports: %d', async (status) => {
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, status, { detail: 'Method Not Allowed' })));
    for (const call of [client.lease(leaseRequest), client.report('p', emptyReport)]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(CallNotSupportedError);
      expect(error).toMatchObject({ code: 'call_not_supported', message: expect.stringContaining(`HTTP ${status}`) });
    }
    expect(await failure(client.provisionAcestream())).toBeInstanceOf(OrchestratorReplyError);
  });

  it('provisioning blocked, with all details that the orchestrator reports', async () => {
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, 503, blocked, { 'retry-after': '30' })));
    for (const call of [client.lease(leaseRequest), client.provisionAcestream()]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(ProvisioningBlockedError);
      expect(error).toMatchObject({
        code: 'max_capacity',
        message: 'all 20 engines are busy',
        recoveryEtaSeconds: 30,
        retryAfterSeconds: 30,
      });
    }
    expect(client.calls.map((call) => call.outcome)).toEqual(['max_capacity', 'max_capacity']);
  });

  it('a wait of the orchestrator without end is taken as an hour', async () => {
    const endless = { detail: { ...blocked.detail, recovery_eta_seconds: 1e300 } };
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, 503, endless, { 'retry-after': '1e300' })));
    expect(await failure(client.lease(leaseRequest))).toMatchObject({ recoveryEtaSeconds: 3600, retryAfterSeconds: 3600 });
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
      { code: 'general_error', message: 'image not found', retryAfterSeconds: null },
    ],
    [500, { detail: 'Docker says no' }, { code: 'general_error', message: 'Docker says no', recoveryEtaSeconds: 0 }],
    [503, { detail: 'VPN down' }, { code: 'general_error', message: 'VPN down' }],
    [
      503,
      { detail: { error: 'provisioning_blocked', code: 'moon_phase', recovery_eta_seconds: 1.5 } },
      { code: 'general_error', recoveryEtaSeconds: 2 },
    ],
    [503, { detail: { code: 'circuit_breaker', recovery_eta_seconds: null } }, { code: 'circuit_breaker', recoveryEtaSeconds: 0 }],
  ])('a refusal in another form: %d %j', async (status, body, expected) => {
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, status, body)));
    const error = await failure(client.provisionAcestream());
    expect(error).toBeInstanceOf(ProvisioningBlockedError);
    expect(error).toMatchObject(expected);
  });

  it.each<[string, Answer, string]>([
    [
      'a page of a gateway',
      (response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>down</h1>'),
      'HTTP 503, <h1>down</h1>',
    ],
    ['a bad request', (response) => replyJson(response, 400, { detail: 'key is too long' }), 'HTTP 400, key is too long'],
    ['a redirect', (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), 'HTTP 307'],
    ['an unexpected success status', (response) => response.writeHead(204).end(), 'HTTP 204'],
    ['a page with status 200', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>'), 'HTTP 200'],
    ['a lease without an engine', (response) => replyJson(response, 200, { ...granted, engine: null }), 'HTTP 200'],
    ['a lease without an id', (response) => replyJson(response, 200, { ...granted, lease_id: undefined }), 'HTTP 200'],
    ['a reply that is too long', (response) => response.writeHead(200).end(Buffer.alloc(9 * 1024 * 1024, 'a')), 'maxContentLength'],
  ])('%s is a bad reply', async (_name, answer, expected) => {
    const error = await failure(clientOf(await ScriptedServer.forTest(answer)).lease(leaseRequest));
    expect(error).toBeInstanceOf(OrchestratorReplyError);
    expect(error).toMatchObject({ code: 'orchestrator_bad_reply', message: expect.stringContaining(expected) });
  });

  it('never contain the API key', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => reset(response));
    const error = await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret-key');
  });
});
