import { afterEach, describe, expect, it } from 'vitest';
import { type TestEngine, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import type { Knobs } from '../faults/knobs.js';

const ID = '01'.repeat(20);

let running: TestEngine | null = null;
async function start(knobs: Partial<Knobs> = {}): Promise<TestEngine> {
  running = await startEngine(knobs);
  return running;
}
afterEach(async () => running?.stop());

describe('the health endpoints', () => {
  it('answer as the documentation shows, in the spelling of Python', async () => {
    const { url } = await start();
    const text = async (path: string) => (await fetch(url + path)).text();
    const version = '{"code": 3021100, "platform": "linux", "version": "3.2.11"';
    expect(await text('/webui/api/service?method=get_version')).toBe(`{"result": ${version}, "websocket_port": 37293}, "error": null}`);
    expect(await text('/server/api?api_version=3&method=get_status')).toBe(`{"result": {"playlist_loaded": true, "version": ${version}}}}`);
    expect(await text('/server/api?api_version=3&method=get_network_connection_status')).toBe('{"result": {"connected": true}}');
    expect(await text('/service/api?api_version=3&method=nonsense')).toBe('{"error": {"message": "unknown method", "code": 0}}');
    expect(await text('/webui/api/service?method=get_version&format=jsonp&callback=cb')).toMatch(/^cb\(\{.*\}\);$/);
  });

  it('of 3.1 name no websocket port', async () => {
    const { json } = await start({ version: '3.1.70' });
    expect(await json('/webui/api/service?method=get_version')).toEqual({
      result: { code: 3017000, platform: 'linux', version: '3.1.70' },
      error: null,
    });
  });
});

describe('the rest of the API', () => {
  it('describes contents, and searches by infohash', async () => {
    const { json } = await start();
    const api = '/server/api?api_version=3&method=';
    const files = (await json(`${api}get_media_files&content_id=${ID}`)).result;
    expect(Object.keys(files)).toEqual(['files', 'name', 'infohash', 'transport_type', 'type', 'transport_file_cache_key']);
    expect(await json(`${api}get_content_id&infohash=${files.infohash}`)).toEqual({ result: { content_id: ID } });
    const analysis = (await json(`${api}analyze_content&query=${encodeURIComponent(`acestream:?infohash=${files.infohash}`)}`)).result;
    expect(analysis).toMatchObject({ is_live: 1, transport_type: 'bt', content_type: 'transport_file', infohash: files.infohash });
    const { result } = await json('/search?query=channel');
    expect(result.total).toBe(1);
    expect(result.results[0].items[0]).toMatchObject({ infohash: files.infohash, status: 2 });
  });

  it('keeps private methods and pages for who has the token', async () => {
    const { json, url, engine, exits } = await start();
    const token = engine.parts.accessToken;
    expect((await json('/server/api?api_version=3&method=get_api_access_token')).result).toEqual({ token });
    expect(await json('/server/api?api_version=3&method=trim_memory')).toEqual({ error: { message: 'access denied', code: 0 } });
    expect(await json(`/server/api?api_version=3&method=trim_memory&token=${token}`)).toEqual({ result: 'ok' });
    const patch = (key: string, body: string) => fetch(`${url}/api/v1/settings`, { method: 'PATCH', headers: { 'x-api-key': key }, body });
    expect((await patch('wrong', '{}')).status).toBe(401);
    expect((await patch(token, '{"upload_limit": 100}')).status).toBe(204);
    expect((await patch(token, 'nonsense')).status).toBe(400);
    expect((await fetch(`${url}/webui/app/wrong/cmd/shutdown`)).status).toBe(403);
    await fetch(`${url}/webui/app/${token}/cmd/shutdown`);
    while (exits.length === 0) await new Promise(setImmediate);
    expect(exits).toEqual([0]);
  });
});
