import { describe, expect, it } from 'vitest';
import { type ContentDescription, type ContentSelector, type EngineAddress, EngineClient } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { SystemClock } from '@acexy/service-kit/primitives';
import { type ScriptedEngine, deadAddress, scriptedEngine } from '../../../../test/doubles/engine-server.js';
import { EngineSession } from './engine-session.js';

function lookUp(address: EngineAddress, selector: ContentSelector): Promise<ContentDescription | null> {
  const leased = { engineId: 'e1', containerId: 'e1', address, leaseId: null, reason: 'test', release: () => Promise.resolve() };
  const context = { clock: new SystemClock(), log: SILENT_LOG, onClosed: () => undefined };
  session = new EngineSession(leased, new EngineClient(address), context);
  return session.describe({ selector, variant: {}, hints: {} });
}

let session: EngineSession;

describe('what an engine knows of a content', () => {
  const ID = 'a'.repeat(40);
  const byId: ContentSelector = { type: 'content_id', value: ID };
  const CALL = '/server/api?api_version=3&method=analyze_content&query=';

  /** Engines differ in the queries that they know. */
  async function engine(answers: Record<string, string>): Promise<ScriptedEngine> {
    return scriptedEngine((request, response) => {
      const query = new URL(request.path, 'http://engine').searchParams.get('query') ?? '';
      response.end(answers[query] ?? '{"error": {"message": "unknown protocol", "code": 0}}');
    });
  }

  it('is asked in the documented form, once', async () => {
    const known = { result: { infohash: 'B'.repeat(40), title: ' Channel\u0007\n one ' } };
    const { address, requests } = await engine({ [`acestream:?content_id=${ID}`]: JSON.stringify(known) });
    const description = { infohash: 'b'.repeat(40), title: 'Channel one' };
    expect(await lookUp(address, byId)).toEqual(description);
    expect(await session.describe({ selector: byId, variant: {}, hints: {} })).toEqual(description);
    expect(requests).toEqual([`${CALL}acestream%3A%3Fcontent_id%3D${ID}`]);
  });

  it('is asked by the bare id when the documented form is refused', async () => {
    const { address, requests } = await engine({ [ID]: JSON.stringify({ result: { infohash: 'b'.repeat(40) } }) });
    expect(await lookUp(address, byId)).toEqual({ infohash: 'b'.repeat(40), title: null });
    expect(requests).toEqual([`${CALL}acestream%3A%3Fcontent_id%3D${ID}`, `${CALL}${ID}`]);
  });

  it('is asked by infohash for a content that is requested by infohash', async () => {
    const { address, requests } = await engine({});
    expect(await lookUp(address, { type: 'infohash', value: ID })).toBeNull();
    expect(requests).toEqual([`${CALL}acestream%3A%3Finfohash%3D${ID}`]);
  });

  it.each([
    ['<html>', null],
    ['{"error": {"message": "unknown method"}}', null],
    ['', null],
    ['{"result": {"infohash": null, "title": 5}}', { infohash: null, title: null }],
    ['{"result": {"infohash": "short", "title": ""}}', { infohash: null, title: null }],
    [`{"result": {"title": "${'x'.repeat(1000)}"}}`, { infohash: null, title: `${'x'.repeat(200)}…` }],
  ])('is unknown where the engine answers %s', async (body, expected) => {
    const { address } = await scriptedEngine((_request, response) => response.end(body));
    expect(await lookUp(address, byId)).toEqual(expected);
  });

  it('is unknown when the engine is unreachable', async () => {
    expect(await lookUp(await deadAddress(), byId)).toBeNull();
  });

  it('is no longer awaited when the session ends', async () => {
    const { address } = await scriptedEngine(() => undefined);
    const pending = lookUp(address, byId);
    await session.close();
    expect(await pending).toBeNull();
  });
});
