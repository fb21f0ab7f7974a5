import { afterEach, describe, expect, it } from 'vitest';
import { type TestEngine, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import type { SimulatorSettings } from '../faults/simulator-settings.js';

const ID = '01'.repeat(20);

let running: TestEngine | null = null;
async function start(settings: Partial<SimulatorSettings> = {}): Promise<TestEngine> {
  running = await startEngine(settings);
  return running;
}
afterEach(async () => running?.stop());

describe('health endpoints', () => {
  it('answer with the documented JSON as Python writes it', async () => {
    const { url } = await start();
    const text = async (path: string) => (await fetch(url + path)).text();
    const version = '{"code": 3021100, "platform": "linux", "version": "3.2.11"';
    expect(await text('/webui/api/service?method=get_version')).toBe(`{"result": ${version}, "websocket_port": 37293}, "error": null}`);
    expect(await text('/server/api?api_version=3&method=get_status')).toBe(`{"result": {"playlist_loaded": true, "version": ${version}}}}`);
    expect(await text('/server/api?api_version=3&method=get_network_connection_status')).toBe('{"result": {"connected": true}}');
    expect(await text('/service/api?api_version=3&method=nonsense')).toBe('{"error": {"message": "unknown method", "code": 0}}');
  });

  it('have no websocket port in engine 3.1', async () => {
    const { json } = await start({ version: '3.1.70' });
    expect(await json('/webui/api/service?method=get_version')).toEqual({
      result: { code: 3017000, platform: 'linux', version: '3.1.70' },
      error: null,
    });
  });
});

describe('analyze_content', () => {
  it('returns the infohash of a content id, also before a start', async () => {
    const { json, engine } = await start();
    const analyze = (query: string) => json(`/server/api?api_version=3&method=analyze_content&query=${encodeURIComponent(query)}`);
    const { result } = await analyze(`acestream://${ID}`);
    expect(result).toMatchObject({ is_live: 1, transport_type: 'bt', content_type: 'transport_file', content_id: ID });
    expect(engine.context.contents.byId(ID)?.infohash).toBe(result.infohash);
    expect(await analyze(`acestream:?content_id=${ID}`)).toEqual({ result });
    expect(await analyze(`acestream:?infohash=${result.infohash}`)).toEqual({ result });
    expect(await analyze(ID)).toEqual({ result });
    expect(await analyze('nonsense')).toEqual({ error: { message: 'unknown protocol', code: 0 } });
  });

  it.each([
    ['documented', [`acestream:?content_id=${ID}`], [ID, `acestream://${ID}`]],
    ['bare', [ID], [`acestream:?content_id=${ID}`, `acestream://${ID}`]],
  ] as const)('may know only the %s form', async (analyzeForms, known, unknown) => {
    const { json } = await start({ analyzeForms });
    const analyze = (query: string) => json(`/server/api?api_version=3&method=analyze_content&query=${encodeURIComponent(query)}`);
    for (const query of known) expect(await analyze(query)).toMatchObject({ result: { content_id: ID } });
    for (const query of unknown) expect(await analyze(query)).toEqual({ error: { message: 'unknown protocol', code: 0 } });
  });
});
