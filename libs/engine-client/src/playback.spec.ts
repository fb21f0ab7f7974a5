import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EngineClient, type StartPlayback } from './client.js';
import { EngineBadReplyError, EngineRefusedError, UnknownSessionError } from './errors.js';
import { failure, json, rawEngine, scriptedEngine } from '../../../test/doubles/engine-server.js';

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

describe('starting a playback', () => {
  it('sends the parameter that all engine versions accept, and replaces the host in the returned URLs', async () => {
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

  it('requests a playlist by infohash', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started()));
    const selector = { type: 'infohash', value: INFOHASH } as const;
    expect((await new EngineClient(address).startPlayback({ ...start, kind: 'hls', selector })).kind).toBe('hls');
    expect(requests).toEqual([`/ace/manifest.m3u8?format=json&pid=pid-1&infohash=${INFOHASH}`]);
  });

  it('passes other parameters on, except those that select content, player or format', async () => {
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

  it('reads numbers in strings, and an infohash that is only in the path', async () => {
    const body = started({ is_live: '0', is_encrypted: '1', infohash: undefined });
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await new EngineClient(address).startPlayback(start)).toMatchObject({ isLive: false, isEncrypted: true, infohash: INFOHASH });
  });

  it('returns the error text of an engine that refuses', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      json(response, '{"response": null, "error": "failed to load content"}'),
    );
    const error = await failure(new EngineClient(address).startPlayback(start));
    expect(error).toBeInstanceOf(EngineRefusedError);
    expect(error).toMatchObject({ code: 'engine_refused', reason: 'failed to load content' });
  });

  it.each<[string, unknown, string]>([
    ['no session id', undefined, KEY],
    ['an empty session id', '', KEY],
    ['a session id of a megabyte', 'x'.repeat(1_000_000), KEY],
    ['a number as session id', 1234, '1234'],
  ])('plays with %s: the session is then known by its URLs', async (_what, id, known) => {
    const { address } = await scriptedEngine((_request, response) => json(response, started({ playback_session_id: id })));
    expect(await new EngineClient(address).startPlayback(start)).toMatchObject({ playbackSessionId: known });
  });

  it('reads a reply that is compressed although nobody asked for it', async () => {
    const { address, headers } = await scriptedEngine((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync(started())),
    );
    expect(await new EngineClient(address).startPlayback(start)).toMatchObject({ playbackSessionId: '0a1b' });
    expect(headers[0]['accept-encoding']).toBe('identity');
  });

  it.each<[string, Buffer]>([
    ['is damaged', Buffer.from('no gzip')],
    ['has a megabyte of spaces in a few bytes', gzipSync(' '.repeat(2 * 1024 * 1024))],
  ])('a compressed reply that %s is a bad reply', async (_what, body) => {
    const { address } = await scriptedEngine((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
  });

  it('follows a redirect to another path of the engine', async () => {
    const { address, requests } = await scriptedEngine((request, response) => {
      if (request.path.startsWith('/ace/')) response.writeHead(302, { location: '/new/getstream?x=1' }).end();
      else json(response, started());
    });
    expect(await new EngineClient(address).startPlayback(start)).toMatchObject({ infohash: INFOHASH });
    expect(requests[1]).toBe('/new/getstream?x=1');
  });

  it.each(['http://stranger.example/ace/getstream', 'http://127.0.0.1:1/', '//stranger.example/', 'ftp://127.0.0.1/', undefined])(
    'does not follow a redirect to %s',
    async (location) => {
      const { address, requests } = await scriptedEngine((_request, response) =>
        response.writeHead(302, location ? { location } : {}).end(),
      );
      const error = await failure(new EngineClient(address).startPlayback(start));
      expect(error).toBeInstanceOf(EngineBadReplyError);
      expect(error.message).toContain(location ?? 'no location');
      expect(requests).toHaveLength(1);
    },
  );

  it('stops after five redirects', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => response.writeHead(302, { location: '/again' }).end());
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
    expect(requests).toHaveLength(6);
  });

  it.each(['playback_url', 'stat_url', 'command_url'])(
    'a reply with a URL of more than 2048 characters as %s is a bad reply',
    async (name) => {
      const long = `http://10.1.2.3:6878/${'x'.repeat(3000)}`;
      const { address } = await scriptedEngine((_request, response) => json(response, started({ [name]: long })));
      const error = await failure(new EngineClient(address).startPlayback(start));
      expect(error).toBeInstanceOf(EngineBadReplyError);
      expect(error.message).toMatch(new RegExp(`${name} is not a URL of at most 2048 characters`));
    },
  );

  it('an error text of an engine is shortened', async () => {
    const { address } = await scriptedEngine((_request, response) => json(response, JSON.stringify({ error: 'no '.repeat(10_000) })));
    expect((await failure(new EngineClient(address).startPlayback(start))).message.length).toBeLessThan(400);
  });

  it.each(['playback_url', 'stat_url', 'command_url'])('a reply without %s is a bad reply', async (name) => {
    const { address } = await scriptedEngine((_request, response) => json(response, started({ [name]: undefined })));
    const error = await failure(new EngineClient(address).startPlayback(start));
    expect(error).toBeInstanceOf(EngineBadReplyError);
    expect(error.message).toContain(name);
  });

  it('stops a session whose start returned an unusable reply', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, started({ playback_url: undefined })));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
    expect(requests.slice(1)).toEqual([`/ace/cmd/${INFOHASH}/${KEY}?method=stop`]);
  });

  it.each(['{"response": null, "error": null}', '{"response": null}', '{}'])('%s is a bad reply', async (body) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
  });

  it('rejects invalid URLs', async () => {
    const { address } = await scriptedEngine((_request, response) => json(response, started({ playback_url: 'file:///etc/passwd' })));
    expect(await failure(new EngineClient(address).startPlayback(start))).toBeInstanceOf(EngineBadReplyError);
  });
});

describe('the statistics of a session', () => {
  it('reads the documented reply without counting as player activity', async () => {
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
    });
    expect(requests).toEqual(['/ace/stat/a/b?skip_player_activity=1']);
  });

  it('are null when the engine does not report them', async () => {
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
    });
  });

  it('report that the session is gone', async () => {
    const { address } = await scriptedEngine((_request, response) =>
      json(response, '{"response": null, "error": "unknown playback session id"}'),
    );
    const error = await failure(new EngineClient(address).stat({ statUrl: '/ace/stat/a/b' }));
    expect(error).toBeInstanceOf(UnknownSessionError);
    expect(error.code).toBe('engine_unknown_session');
  });
});

describe('stopping a session', () => {
  it('adds the method to the query of the URL', async () => {
    const { address, requests } = await scriptedEngine((_request, response) => json(response, '{"response": "ok", "error": null}'));
    expect(await new EngineClient(address).stop({ commandUrl: 'http://elsewhere:1/ace/cmd/a/b?c=d' })).toBe('stopped');
    expect(requests).toEqual(['/ace/cmd/a/b?c=d&method=stop']);
  });

  it.each<[string, number]>([
    ['{"response": null, "error": "unknown playback session id"}', 200],
    ['{"error": "invalid or expired playback session", "response": null}', 200],
    ['not found', 404],
  ])('a session that is gone counts as stopped: %s', async (body, status) => {
    const { address } = await scriptedEngine((_request, response) => json(response, body, status));
    expect(await new EngineClient(address).stop({ commandUrl: '/ace/cmd/a/b' })).toBe('already_gone');
  });

  it('waits for a hanging engine no longer than its limit', async () => {
    const address = await rawEngine(() => undefined);
    expect(await failure(new EngineClient(address).stop({ commandUrl: '/ace/cmd/a/b' }, 20))).toMatchObject({
      code: 'engine_timeout',
      limitMs: 20,
    });
  });
});
