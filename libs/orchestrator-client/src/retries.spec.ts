import { describe, expect, it } from 'vitest';
import {
  blocked,
  clientOf,
  emptyReport,
  failure,
  granted,
  leaseRequest,
  provisioned,
  reset,
  startedEvent,
} from '../../../test/doubles/orchestrator-client.fixture.js';
import { replyJson, ScriptedServer, type Answer } from '../../../test/doubles/scripted-server.js';

describe('retries', () => {
  const repeatable = [
    ['lease', (client: ReturnType<typeof clientOf>) => client.lease(leaseRequest)],
    ['release', (client: ReturnType<typeof clientOf>) => client.releaseLease('l')],
    ['report', (client: ReturnType<typeof clientOf>) => client.report('p', emptyReport)],
    ['engines', (client: ReturnType<typeof clientOf>) => client.engines()],
    ['stream_started', (client: ReturnType<typeof clientOf>) => client.streamStarted(startedEvent)],
    ['stream_ended', (client: ReturnType<typeof clientOf>) => client.streamEnded({ stream_id: 's' })],
  ] as const;

  it.each(repeatable)('%s is repeated at most twice, with the same body', async (_name, call) => {
    const orchestrator = await ScriptedServer.forTest((response) => reset(response));
    expect(await failure(call(clientOf(orchestrator)))).toMatchObject({ code: 'orchestrator_unreachable' });
    expect(orchestrator.requests).toHaveLength(3);
    expect(orchestrator.requests[2]).toMatchObject({ body: orchestrator.requests[0].body });
    expect(orchestrator.requests[2].headers.authorization).toBe('Bearer secret-key');
  });

  it.each<[string, Answer]>([
    ['a reset', (response) => reset(response)],
    ['502', (response) => replyJson(response, 502, {})],
    ['a reply cut off', (response) => (response.writeHead(200, { 'content-length': 500 }).write('{'), response.socket?.destroySoon())],
  ])('let a lease succeed after %s', async (_name, fail) => {
    const orchestrator = await ScriptedServer.forTest((response, request, number) =>
      number < 2 ? fail(response, request, number) : replyJson(response, 200, granted),
    );
    expect(await clientOf(orchestrator).lease(leaseRequest)).toMatchObject({ kind: 'granted' });
    expect(orchestrator.requests).toHaveLength(3);
  });

  it.each<[string, Answer]>([
    ['a reset', (response) => reset(response)],
    ['502', (response) => replyJson(response, 502, {})],
  ])('never repeat provisioning, not even after %s', async (_name, answer) => {
    const orchestrator = await ScriptedServer.forTest(answer);
    await failure(clientOf(orchestrator).provisionAcestream());
    expect(orchestrator.requests).toHaveLength(1);
  });

  it.each([
    [503, blocked],
    [400, { detail: 'key: too long' }],
    [401, { detail: 'Unauthorized' }],
    [404, { detail: 'Not Found' }],
  ])('do not follow an explained refusal or a client error: %d', async (status, body) => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, status, body));
    await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(orchestrator.requests).toHaveLength(1);
  });

  it('are impossible for provisioning, so each of its calls opens a new connection', async () => {
    const ports = new Set<number | undefined>();
    const orchestrator = await ScriptedServer.forTest((response) => {
      ports.add(response.socket?.remotePort);
      replyJson(response, 200, provisioned);
    });
    const client = clientOf(orchestrator);
    await client.provisionAcestream();
    await client.provisionAcestream();
    expect(ports.size).toBe(2);
  });

  it('stop when the budget of the client is used up, so that an unreachable orchestrator is not flooded', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => reset(response));
    const client = clientOf(orchestrator);
    for (let call = 0; call < 50; call++) await failure(client.releaseLease('l'));
    // 50 calls, a burst of 5 retries, and a fifth of 50.
    expect(orchestrator.requests.length).toBeGreaterThanOrEqual(50 + 5 + 8);
    expect(orchestrator.requests.length).toBeLessThanOrEqual(50 + 5 + 10);
    const before = orchestrator.requests.length;
    await failure(client.releaseLease('l'));
    expect(orchestrator.requests.length - before).toBeLessThanOrEqual(2);
  });

  it('do not follow a reply whose Retry-After exceeds the remaining time', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 503, { detail: 'later' }, { 'retry-after': '60' }));
    const error = await failure(clientOf(orchestrator).lease(leaseRequest));
    expect(error).toMatchObject({ code: 'general_error', message: 'later', retryAfterSeconds: 60 });
    expect(orchestrator.requests).toHaveLength(1);
  });
});
