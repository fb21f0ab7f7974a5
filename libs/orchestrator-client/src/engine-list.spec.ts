import { once } from 'node:events';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { UnauthorizedError } from './errors.js';
import { clientOf, engine, reset } from '../../../test/doubles/orchestrator-client.fixture.js';
import { replyJson, ScriptedServer, type Answer } from '../../../test/doubles/scripted-server.js';

const TTL = 5000;
const LIST = [engine('a'), engine('b')];

/** Like our orchestrator: a weak ETag, and 304 when the request has it. */
function listWithEtag(etag: string, list: unknown = LIST): Answer {
  return (response, request) => {
    if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else replyJson(response, 200, list, { etag, 'cache-control': 'max-age=5' });
  };
}

/** The cache reads the system clock. Sockets and timers stay real. */
function letTimePass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
});

describe('the engine list while the orchestrator is reachable', () => {
  it('a second call within the time to live sends no request', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    const client = clientOf(orchestrator);
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
    letTimePass(TTL - 1);
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
    expect(orchestrator.requests).toHaveLength(1);
    expect(client.calls.map((call) => call.outcome)).toEqual(['ok', 'cached']);
  });

  it('a later call sends one conditional request, and a 304 renews the list', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    const client = clientOf(orchestrator);
    await client.engines();
    letTimePass(TTL);
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
    letTimePass(TTL - 1);
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
    expect(orchestrator.requests.map((request) => request.headers['if-none-match'])).toEqual([undefined, 'W/"1"']);
    expect(client.calls.map((call) => call.outcome)).toEqual(['ok', 'not_modified', 'cached']);
  });

  it('returns a changed list', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    const client = clientOf(orchestrator);
    await client.engines();
    orchestrator.answer = listWithEtag('W/"2"', [engine('c')]);
    letTimePass(TTL);
    expect(await client.engines()).toEqual({ engines: [engine('c')], stale: false });
    letTimePass(TTL);
    await client.engines();
    expect(orchestrator.requests.map((request) => request.headers['if-none-match'])).toEqual([undefined, 'W/"1"', 'W/"2"']);
  });

  it('sends no header that forbids a 304', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    await clientOf(orchestrator).engines();
    expect(orchestrator.requests[0].headers).not.toHaveProperty('cache-control');
    expect(orchestrator.requests[0].headers).not.toHaveProperty('pragma');
  });

  it('simultaneous callers share one request, the first and later ones', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    const client = clientOf(orchestrator);
    for (const requests of [1, 2]) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => client.engines()));
      expect(answers).toEqual(Array.from({ length: 50 }, () => ({ engines: LIST, stale: false })));
      expect(orchestrator.requests).toHaveLength(requests);
      letTimePass(TTL);
    }
  });

  it('one caller can abort without affecting the others', async () => {
    let deliver!: () => void;
    const arrived = new Promise<void>((resolve) => {
      deliver = resolve;
    });
    let answer!: () => void;
    const orchestrator = await ScriptedServer.forTest((response, request, number) => {
      answer = () => listWithEtag('W/"1"')(response, request, number);
      deliver();
    });
    const client = clientOf(orchestrator);
    const caller = new AbortController();
    const leaving = client.engines(caller.signal).catch((error: unknown) => error);
    const staying = client.engines();
    await arrived;
    const reason = new Error('no longer needed');
    caller.abort(reason);
    expect(await leaving).toBe(reason);
    answer();
    expect(await staying).toEqual({ engines: LIST, stale: false });
    expect(orchestrator.requests).toHaveLength(1);
  });

  it.each([
    ['longer', { 'cache-control': 'public, max-age=3600' }],
    ['longer, with Expires', { expires: 'Fri, 31 Dec 2060 23:59:59 GMT' }],
    ['shorter', { 'cache-control': 'no-store, max-age=0', vary: '*' }],
  ])('uses the time to live of the setting when the headers of the server are %s', async (_name, headers) => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, LIST, headers));
    const client = clientOf(orchestrator);
    await client.engines();
    letTimePass(TTL - 1);
    await client.engines();
    expect(orchestrator.requests).toHaveLength(1);
    letTimePass(1);
    await client.engines();
    expect(orchestrator.requests).toHaveLength(2);
  });

  it('sends a request every time when the time to live is 0', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    const client = clientOf(orchestrator, { engineCacheTtlMs: 0 });
    await client.engines();
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
    expect(orchestrator.requests.map((request) => request.headers['if-none-match'])).toEqual([undefined, 'W/"1"']);
  });

  it('returns a new list to every caller', async () => {
    const client = clientOf(await ScriptedServer.forTest(listWithEtag('W/"1"')));
    (await client.engines()).engines.length = 0;
    expect((await client.engines()).engines).toEqual(LIST);
  });

  it('accepts the shorter list of another orchestrator and leaves out entries without an address', async () => {
    const list = [
      { container_id: 'x', host: 'gluetun', port: 19003, streams: null, health_status: 'fine' },
      { container_id: 'y', host: '' },
      null,
    ];
    const client = clientOf(await ScriptedServer.forTest((response) => replyJson(response, 200, list)));
    const { engines } = await client.engines();
    expect(engines).toHaveLength(1);
    expect(engines[0]).toMatchObject({
      container_id: 'x',
      host: 'gluetun',
      port: 19003,
      streams: [],
      health_status: 'unknown',
      labels: {},
      forwarded: false,
    });
  });
});

describe('the engine list while the orchestrator is unreachable', () => {
  /** A client with an expired list. */
  async function withOldList(first: Answer = listWithEtag('W/"1"'), timeoutMs = 3000) {
    const orchestrator = await ScriptedServer.forTest(first);
    const client = clientOf(orchestrator, { timeoutMs });
    await client.engines();
    letTimePass(TTL);
    return { orchestrator, client };
  }

  const old = { engines: LIST, stale: true };

  it('all callers get the old list, marked as stale, when the server dies during a revalidation', async () => {
    const { orchestrator, client } = await withOldList();
    orchestrator.answer = () => void orchestrator.kill();
    const answers = await Promise.all([client.engines(), client.engines(), client.engines()]);
    expect(answers).toEqual([old, old, old]);
    expect(orchestrator.requests[1].headers['if-none-match']).toBe('W/"1"');
    expect(await client.engines()).toEqual(old);
  });

  it('is the old list when the server dies in the middle of its answer', async () => {
    const { orchestrator, client } = await withOldList();
    orchestrator.answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('[{"container_id": "half');
      setImmediate(() => void orchestrator.kill());
    };
    expect(await client.engines()).toEqual(old);
  });

  it('is the new list as soon as the server is back', async () => {
    const { orchestrator, client } = await withOldList();
    await orchestrator.kill();
    expect(await client.engines()).toEqual(old);
    orchestrator.answer = listWithEtag('W/"2"', [engine('new')]);
    await orchestrator.listen();
    expect(await client.engines()).toEqual({ engines: [engine('new')], stale: false });
    expect(client.calls.map((call) => call.outcome)).toEqual(['ok', 'stale', 'ok']);
  });

  it('is the old list for as long as the outage lasts', async () => {
    const { orchestrator, client } = await withOldList();
    await orchestrator.kill();
    for (let hour = 0; hour < 30; hour++) {
      expect(await client.engines()).toEqual(old);
      letTimePass(3_600_000);
    }
  });

  it.each<[string, Answer]>([
    ['503', (response) => replyJson(response, 503, { detail: 'starting' })],
    ['429', (response) => replyJson(response, 429, { detail: 'slow down' }, { 'retry-after': '60' })],
    ['a page instead of the list', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')],
    ['an object instead of the list', (response) => replyJson(response, 200, { engines: [] })],
    ['a reset', (response) => reset(response)],
  ])('is the old list, unchanged, after %s', async (_name, answer) => {
    const { orchestrator, client } = await withOldList();
    orchestrator.answer = answer;
    expect(await client.engines()).toEqual(old);
    expect(await client.engines()).toEqual(old);
    orchestrator.answer = listWithEtag('W/"1"');
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
  });

  it('waits for a hanging server no longer than the limit', async () => {
    const { orchestrator, client } = await withOldList(listWithEtag('W/"1"'), 80);
    orchestrator.answer = () => undefined;
    expect(await client.engines()).toEqual(old);
    expect(client.calls.at(-1)).toMatchObject({ endpoint: 'engines', outcome: 'stale' });
  });

  it('keeps a list without an ETag or with no-store', async () => {
    const { orchestrator, client } = await withOldList((response) =>
      replyJson(response, 200, LIST, { 'cache-control': 'no-store, must-revalidate' }),
    );
    await orchestrator.kill();
    expect(await client.engines()).toEqual(old);
  });

  it('does not hide that the API key is rejected', async () => {
    const { orchestrator, client } = await withOldList();
    orchestrator.answer = (response) => replyJson(response, 401, { detail: 'Unauthorized' });
    await expect(client.engines()).rejects.toBeInstanceOf(UnauthorizedError);
  });

  it('fails for all callers when there is no list yet, and works as soon as there is one', async () => {
    const orchestrator = await ScriptedServer.forTest(listWithEtag('W/"1"'));
    await orchestrator.kill();
    const client = clientOf(orchestrator);
    const answers = await Promise.allSettled([client.engines(), client.engines()]);
    expect(answers).toMatchObject([
      { status: 'rejected', reason: { code: 'orchestrator_unreachable' } },
      { status: 'rejected', reason: { code: 'orchestrator_unreachable' } },
    ]);
    await orchestrator.listen();
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
  });

  it('fails when the first answer is not a list, and does not keep it', async () => {
    const orchestrator = await ScriptedServer.forTest((response) => replyJson(response, 200, { not: 'a list' }));
    const client = clientOf(orchestrator);
    await expect(client.engines()).rejects.toThrow(/HTTP 200/);
    orchestrator.answer = listWithEtag('W/"1"');
    expect(await client.engines()).toEqual({ engines: LIST, stale: false });
  });
});

describe('closing the client', () => {
  it('aborts a request in progress and closes all connections', async () => {
    const orchestrator = await ScriptedServer.forTest(() => undefined);
    const client = clientOf(orchestrator);
    const call = client.engines().catch((error: unknown) => error);
    await vi.waitUntil(() => orchestrator.requests.length === 1);
    const closed = Promise.all([...orchestrator.sockets].map((socket) => once(socket, 'close')));
    client.close();
    expect(await call).toMatchObject({ code: 'orchestrator_unreachable' });
    await closed;
    await expect(client.engines()).rejects.toMatchObject({ code: 'orchestrator_unreachable' });
  });
});
