import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { EngineClient, type StartPlayback } from './client.js';
import {
  EngineBadReplyError,
  EngineRefusedError,
  EngineTimeoutError,
  EngineUnreachableError,
  UnknownSessionError,
  type EngineError,
} from './errors.js';
import { deadAddress, json, rawEngine, scriptedEngine } from './scripted-engine.test-kit.js';

const INFOHASH = 'dd1e67078381739d14beca697356ab76d49d1a2d';
const KEY = 'f528764d624db129b32c21fbca0cb8d6';
const start: StartPlayback = { kind: 'ts', selector: { type: 'content_id', value: INFOHASH }, pid: 'pid-1', timeoutMs: 2000 };

function started(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    response: {
      playback_url: `http://10.1.2.3:6878/ace/r/${INFOHASH}/${KEY}`,
      stat_url: `http://10.1.2.3:6878/ace/stat/${INFOHASH}/${KEY}`,
      command_url: `http://10.1.2.3:6878/ace/cmd/${INFOHASH}/${KEY}`,
      infohash: INFOHASH,
      playback_session_id: '0a1b',
      is_live: 1,
      is_encrypted: 0,
      client_session_id: -1,
      ...overrides,
    },
    error: null,
  });
}

async function failure(call: Promise<unknown>): Promise<EngineError> {
  return call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error as EngineError,
  );
}

describe('asking how an engine is', () => {
  it('reads the version, of old and new engines', async () => {
    const { address, requests } = await scriptedEngine((_request, response) =>
      json(response, '{"result": {"code": 3021100, "platform": "linux", "version": "3.2.11", "websocket_port": 37293}, "error": null}'),
    );
    expect(await new EngineClient(address).getVersion()).toEqual({ version: '3.2.11', code: 3021100, platform: 'linux' });
    expect(requests).toEqual(['/webui/api/service?method=get_version']);
  });

  it('calls an engine well that answers get_status with a result', async () => {
    const { address, requests } = await scriptedEngine((_request, response) =>
      json(response, '{"result": {"playlist_loaded": true, "version": {"code": "3017000", "platform": "linux", "version": "3.1.70"}}}'),
    );
    expect(await new EngineClient(address).getStatus()).toEqual({
      playlistLoaded: true,
      version: { version: '3.1.70', code: 3017000, platform: 'linux' },
      speedDown: null,
      speedUp: null,
    });
    expect(requests).toEqual(['/server/api?api_version=3&method=get_status']);
  });

  it.each([
    ['{"result": {"connected": true}}', true],
    ['{"result": {"connected": false}}', false],
    ['{"result": {"connected": 1}}', false],
    ['{"result": {"connected": "true"}}', false],
    ['{"result": {}}', false],
  ])('believes in the network only for a plain true: %s', async (body, connected) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await new EngineClient(address).getNetworkConnectionStatus()).toBe(connected);
  });

  it.each<[string, RequestListener]>([
    ['a page instead of JSON', (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>busy</html>')],
    ['JSON cut short', (_request, response) => json(response, '{"result": {"playlist_lo')],
    ['a list', (_request, response) => json(response, '[]')],
    ['no result', (_request, response) => json(response, '{"error": null}')],
    ['a result that is no object', (_request, response) => json(response, '{"result": "ok"}')],
    ['nothing at all', (_request, response) => response.writeHead(200).end()],
    ['HTTP 503', (_request, response) => json(response, '{"result": {}}', 503)],
    ['HTTP 500 with words', (_request, response) => response.writeHead(500).end("Internal Server Error, couldn't find resource")],
    ['a redirect', (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    [
      'fewer bytes than promised',
      (request, response) => (response.writeHead(200, { 'content-length': 99 }).write('{'), request.socket.destroySoon()),
    ],
  ])('calls an engine unwell that answers with %s', async (_name, answer) => {
    const { address } = await scriptedEngine(answer);
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.code).toBe('engine_bad_reply');
  });

  it('stops reading a reply that is longer than any engine has to say', async () => {
    const { address } = await scriptedEngine((_request, response) => response.writeHead(200).write(Buffer.alloc(2 * 1024 * 1024, ' ')));
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.message).toContain('exceeded');
  });

  it('takes what is no HTTP for a bad reply', async () => {
    const address = await rawEngine((socket) => socket.once('data', () => socket.end('HELLOTS version=3.2.11\r\n')));
    expect(await failure(new EngineClient(address).getStatus())).toBeInstanceOf(EngineBadReplyError);
  });

  it('says that nobody listens', async () => {
    const error = await failure(new EngineClient(await deadAddress()).getStatus());
    expect(error).toBeInstanceOf(EngineUnreachableError);
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('says that the engine hung up', async () => {
    const address = await rawEngine((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const error = await failure(new EngineClient(address).getStatus());
    expect(error).toBeInstanceOf(EngineUnreachableError);
    expect(error.code).toBe('engine_unreachable');
  });

  it('gives up on an engine that accepts and says nothing', async () => {
    const address = await rawEngine(() => undefined);
    const error = await failure(new EngineClient(address, { timeoutMs: 30 }).getStatus());
    expect(error).toMatchObject({ code: 'engine_timeout', phase: 'reply', limitMs: 30 });
    expect(error).toBeInstanceOf(EngineTimeoutError);
  });

  it('gives up on a reply that trickles past the limit', async () => {
    const address = await rawEngine((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const trickle = setInterval(() => socket.write(' '), 5);
      socket.once('close', () => clearInterval(trickle));
    });
    expect(await failure(new EngineClient(address, { timeoutMs: 60 }).getStatus())).toMatchObject({ code: 'engine_timeout' });
  });

  it('ends with the reason of the caller who gives up, and lets the connection go', async () => {
    let arrived!: (socket: Socket) => void;
    const connected = new Promise<Socket>((resolve) => (arrived = resolve));
    const address = await rawEngine((socket) => socket.once('data', () => arrived(socket)));
    const caller = new AbortController();
    const call = failure(new EngineClient(address).getStatus(caller.signal));
    const socket = await connected;
    const reason = new Error('the viewer left');
    caller.abort(reason);
    expect(await call).toBe(reason);
    if (!socket.destroyed) await once(socket, 'close');
  });

  it('asks again when the pooled connection had been closed by the engine meanwhile', async () => {
    // Answers once a connection, keeps it open and resets it at the next request: an idle connection closed just as it is used.
    let served = 0;
    let reset = 0;
    const address = await rawEngine((socket) => {
      socket.once('data', () => {
        served += 1;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"result": {}}');
        socket.once('data', () => {
          reset += 1;
          socket.resetAndDestroy();
        });
      });
    });
    const client = new EngineClient(address);
    await client.getStatus();
    await client.getStatus();
    expect({ served, reset }).toEqual({ served: 2, reset: 1 });
  });
});

describe('starting a playback', () => {
  it('asks by the name every engine knows and puts our address into what comes back', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started()));
    const origin = `http://127.0.0.1:${address.port}`;
    expect(await new EngineClient(address).startPlayback(start)).toEqual({
      kind: 'ts',
      playbackUrl: `${origin}/ace/r/${INFOHASH}/${KEY}`,
      statUrl: `${origin}/ace/stat/${INFOHASH}/${KEY}`,
      commandUrl: `${origin}/ace/cmd/${INFOHASH}/${KEY}`,
      infohash: INFOHASH,
      playbackSessionId: '0a1b',
      isLive: true,
      isEncrypted: false,
    });
    expect(requests).toEqual([`/ace/getstream?format=json&pid=pid-1&id=${INFOHASH}`]);
  });

  it('asks for a playlist by infohash', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started()));
    const selector = { type: 'infohash', value: INFOHASH } as const;
    expect((await new EngineClient(address).startPlayback({ ...start, kind: 'hls', selector })).kind).toBe('hls');
    expect(requests).toEqual([`/ace/manifest.m3u8?format=json&pid=pid-1&infohash=${INFOHASH}`]);
  });

  it('hands other parameters on, but none that would choose another content, player or format', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started()));
    const params = {
      _idx: '2',
      url: 'http://stranger/',
      content_id: 'x',
      pid: 'other',
      format: 'redirect',
      preferred_audio_language: 'a b&c',
    };
    await new EngineClient(address).startPlayback({ ...start, params });
    expect(requests).toEqual([`/ace/getstream?format=json&pid=pid-1&id=${INFOHASH}&_idx=2&preferred_audio_language=a+b%26c`]);
  });

  it('reads numbers written as texts, and an infohash that only the path tells', async () => {
    const body = started({ is_live: '0', is_encrypted: '1', infohash: undefined });
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await new EngineClient(address).startPlayback(start)).toMatchObject({ isLive: false, isEncrypted: true, infohash: INFOHASH });
  });

  it('hands over the words of an engine that refuses', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      json(response, '{"response": null, "error": "failed to load content"}'),
    );
    const error = await failure(new EngineClient(address).startPlayback(start));
    expect(error).toBeInstanceOf(EngineRefusedError);
    expect(error).toMatchObject({ code: 'engine_refused', reason: 'failed to load content', status: 200 });
  });

  it.each(['playback_url', 'stat_url', 'command_url', 'playback_session_id'])('cannot do without %s', async (name) => {
    const { address } = await scriptedEngine((_request, response) => json(response, started({ [name]: undefined })));
    const error = await failure(new EngineClient(address).startPlayback(start));
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.message).toContain(name);
  });

  it('stops on the engine what it started and we cannot use', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started({ playback_url: undefined })));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
    expect(requests.slice(1)).toEqual([`/ace/cmd/${INFOHASH}/${KEY}?method=stop`]);
  });

  it.each(['{"response": null, "error": null}', '{"response": null}', '{}'])('takes %s for no answer', async (body) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
  });

  it('refuses URLs that are none', async () => {
    const { address } = await scriptedEngine((_request, response) => json(response, started({ playback_url: 'file:///etc/passwd' })));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
  });
});

describe('asking after a session', () => {
  it('reads the documented reply, without being taken for a player', async () => {
    const { address, requests } = await scriptedEngine((_request, response) =>
      json(
        response,
        `{"response": {"uploaded": 491520, "speed_down": 257, "speed_up": 29, "status": "dl", "downloaded": 3276800, "peers": 4,
          "playback_session_id": "0a1b", "is_live": 1, "livepos": {"last": "1639986704", "live_first": "1639984904", "pos": "1639986700",
          "live_last": "1639986704", "buffer_pieces": "30"}}, "error": null}`,
      ),
    );
    expect(await new EngineClient(address).stat({ statUrl: 'http://elsewhere:1/ace/stat/a/b' })).toEqual({
      status: 'dl',
      peers: 4,
      speedDown: 257,
      speedUp: 29,
      downloaded: 3276800,
      uploaded: 491520,
      progress: null,
      livePosition: { pos: 1639986700, liveLast: 1639986704, liveFirst: 1639984904, bufferPieces: 30 },
      playbackSessionId: '0a1b',
      errorMessage: null,
    });
    expect(requests).toEqual(['/ace/stat/a/b?skip_player_activity=1']);
  });

  it('leaves open what the engine does not say', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      json(
        response,
        '{"response": {"status": "prebuf", "peers": "0", "speedDown": 5, "downloaded": "many", "progress": 12}, "error": null}',
      ),
    );
    expect(await new EngineClient(address).stat({ statUrl: '/ace/stat/a/b' })).toMatchObject({
      status: 'prebuf',
      peers: 0,
      speedDown: 5,
      speedUp: null,
      downloaded: null,
      progress: 12,
      livePosition: null,
    });
  });

  it('says that the session is gone', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      json(response, '{"response": null, "error": "unknown playback session id"}'),
    );
    const error = await failure(new EngineClient(address).stat({ statUrl: '/ace/stat/a/b' }));
    expect(error).toBeInstanceOf(UnknownSessionError);
    expect(error.code).toBe('engine_unknown_session');
  });
});

describe('stopping a session', () => {
  it('adds the method to whatever query the URL has', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, '{"response": "ok", "error": null}'));
    expect(await new EngineClient(address).stop({ commandUrl: 'http://elsewhere:1/ace/cmd/a/b?c=d' })).toBe('stopped');
    expect(requests).toEqual(['/ace/cmd/a/b?c=d&method=stop']);
  });

  it.each<[string, number]>([
    ['{"response": null, "error": "unknown playback session id"}', 200],
    ['not found', 404],
  ])('is content with a session that is gone: %s', async (body, status) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body, status));
    expect(await new EngineClient(address).stop({ commandUrl: '/ace/cmd/a/b' })).toBe('already-gone');
  });

  it('does not wait long for an engine that hangs', async () => {
    const address = await rawEngine(() => undefined);
    expect(await failure(new EngineClient(address).stop({ commandUrl: '/ace/cmd/a/b' }, 20))).toMatchObject({
      code: 'engine_timeout',
      limitMs: 20,
    });
  });
});
