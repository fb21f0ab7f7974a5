import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineClient } from '@acexy/engine-client';
import { SILENT_LOG } from '@acexy/service-kit';
import { infohashLookup } from './infohash-lookup.js';

const lookUpInfohash = infohashLookup((address) => new EngineClient(address), SILENT_LOG);

describe('the infohash behind a content id', () => {
  let server: Server;
  const never = new AbortController().signal;
  const ID = 'a'.repeat(40);

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function engine(body: string | null, asked: string[] = []) {
    server = createServer((request, reply) => {
      asked.push(request.url ?? '');
      if (body !== null) reply.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  it('is what the engine says, in lower case', async () => {
    const asked: string[] = [];
    const address = await engine(JSON.stringify({ result: { infohash: 'B'.repeat(40) } }), asked);
    expect(await lookUpInfohash(address, ID, never)).toBe('b'.repeat(40));
    expect(asked).toEqual([`/server/api?api_version=3&method=analyze_content&query=acestream%3A%2F%2F${ID}`]);
  });

  it.each([
    '<html>',
    '{"error": {"message": "unknown method"}}',
    '{"result": {"infohash": null}}',
    '{"result": {"infohash": "short"}}',
    '',
  ])('is unknown when the engine answers %j', async (body) => {
    expect(await lookUpInfohash(await engine(body), ID, never)).toBeNull();
  });

  it('is unknown when the engine is not there', async () => {
    const address = await engine(null);
    server.close();
    expect(await lookUpInfohash(address, ID, never)).toBeNull();
  });

  it('is not waited for when nobody wants it any more', async () => {
    const abort = new AbortController();
    const lookup = lookUpInfohash(await engine(null), ID, abort.signal);
    abort.abort(new Error('the viewer left'));
    await expect(lookup).rejects.toThrow('the viewer left');
  });
});
