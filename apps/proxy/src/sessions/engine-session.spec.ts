import { describe, expect, it } from 'vitest';
import { type EngineAddress, EngineClient } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { SystemClock } from '@acexy/service-kit/primitives';
import { type ScriptedEngine, deadAddress, scriptedEngine } from '../../../../test/doubles/engine-server.js';
import { EngineSession } from './engine-session.js';

function lookUpInfohash(address: EngineAddress, contentId: string, signal: AbortSignal): Promise<string | null> {
  const leased = { engineId: 'e1', containerId: 'e1', address, leaseId: null, reason: 'test', release: () => Promise.resolve() };
  const context = { clock: new SystemClock(), log: SILENT_LOG, onClosed: () => undefined };
  return new EngineSession(leased, new EngineClient(address), context).infohashOf(contentId, signal);
}

describe('the infohash of a content id', () => {
  const never = new AbortController().signal;
  const ID = 'a'.repeat(40);

  async function engine(body: string | null): Promise<ScriptedEngine> {
    return scriptedEngine((_request, response) => {
      if (body !== null) response.end(body);
    });
  }

  it('is the one that the engine answers, in lower case', async () => {
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

  it('is unknown when the engine is unreachable', async () => {
    expect(await lookUpInfohash(await deadAddress(), ID, never)).toBeNull();
  });

  it('is no longer awaited when the signal aborts', async () => {
    const abort = new AbortController();
    const lookup = lookUpInfohash((await engine(null)).address, ID, abort.signal);
    abort.abort(new Error('the viewer left'));
    await expect(lookup).rejects.toThrow('the viewer left');
  });
});
