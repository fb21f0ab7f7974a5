import { describe, expect, it } from 'vitest';
import { EngineClient } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { type ScriptedEngine, deadAddress, scriptedEngine } from '../../../../../test/doubles/engine-server.js';
import { infohashLookup } from './infohash-lookup.js';

const lookUpInfohash = infohashLookup((address) => new EngineClient(address), SILENT_LOG);

describe('the infohash behind a content id', () => {
  const never = new AbortController().signal;
  const ID = 'a'.repeat(40);

  async function engine(body: string | null): Promise<ScriptedEngine> {
    return scriptedEngine((_request, response) => {
      if (body !== null) response.end(body);
    });
  }

  it('is what the engine says, in lower case', async () => {
    const { address, requests } = await engine(JSON.stringify({ result: { infohash: 'B'.repeat(40) } }));
    expect(await lookUpInfohash(address, ID, never)).toBe('b'.repeat(40));
    expect(requests).toEqual([`/server/api?api_version=3&method=analyze_content&query=acestream%3A%2F%2F${ID}`]);
  });

  it.each([
    '<html>',
    '{"error": {"message": "unknown method"}}',
    '{"result": {"infohash": null}}',
    '{"result": {"infohash": "short"}}',
    '',
  ])('is unknown when the engine answers %j', async (body) => {
    expect(await lookUpInfohash((await engine(body)).address, ID, never)).toBeNull();
  });

  it('is unknown when the engine is not there', async () => {
    expect(await lookUpInfohash(await deadAddress(), ID, never)).toBeNull();
  });

  it('is not waited for when nobody wants it any more', async () => {
    const abort = new AbortController();
    const lookup = lookUpInfohash((await engine(null)).address, ID, abort.signal);
    abort.abort(new Error('the viewer left'));
    await expect(lookup).rejects.toThrow('the viewer left');
  });
});
