import { describe, expect, it } from 'vitest';
import { type OwnedSession, hashOf, ownerOf, routeOf, streamThatMoves } from './route.policy.js';

const ID = 'a'.repeat(40);
const HASH = 'b'.repeat(40);
const id = { type: 'content_id', value: ID } as const;
const infohash = { type: 'infohash', value: HASH } as const;

describe('the process that serves a request', () => {
  it.each([
    [`/ace/getstream?id=${ID}`, id, null],
    [`/ace/getstream?content_id=${ID}&_idx=2`, id, null],
    [`/ACE//getstream/?INFOHASH=${HASH.toUpperCase()}`, infohash, null],
    [`/t/secret-token-0123456/ace/getstream?id=${ID}`, id, null],
    [`http://tv.lan/ace/manifest.m3u8?id=${ID}&hls=1`, id, null],
    [`/ace/hls/the-stream/7.ts?id=${ID}`, id, 'the-stream'],
    ['/ace/hls/the-stream/7.ts', null, 'the-stream'],
    [`/ace/status?id=${ID}`, id, null],
    ['/ace/getstream?id=none', null, null],
    ['/playlist.m3u?url=http://lists.example/', null, null],
  ])('%s: a worker', (target, selector, streamId) => {
    expect(routeOf(target)).toEqual({ to: 'worker', selector, streamId });
  });

  it.each(['/', '/health', '/health/ready', '/metrics', '/ace/status', '/ace/status?id=none', '/docs', '/none', '*', '//', '/t/x'])(
    '%s: the front',
    (target) => {
      expect(routeOf(target)).toEqual({ to: 'front' });
    },
  );
});

describe('the worker of a content', () => {
  const session = (worker: number, over: Partial<OwnedSession> = {}): OwnedSession => ({
    worker,
    streamId: `stream-${worker}`,
    keyType: 'content_id',
    key: ID,
    infohash: null,
    isStarting: false,
    ...over,
  });
  const owner = (selector: Parameters<typeof ownerOf>[0]['selector'], sessions: OwnedSession[] = [], known: string | null = null) =>
    ownerOf({ selector, streamId: null }, 4, sessions, () => known);

  it('is the same after every restart, and different contents are spread over all workers', () => {
    const owners = Array.from({ length: 400 }, (_, index) => owner({ type: 'content_id', value: index.toString(16).padStart(40, '0') }));
    for (const worker of [0, 1, 2, 3]) expect(owners.filter((one) => one === worker).length).toBeGreaterThan(60);
    // Test vectors of the FNV specification.
    expect([hashOf(''), hashOf('a'), hashOf('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });

  it('is the same for both of its names, once they are known to be one content', () => {
    expect(owner(id, [], HASH)).toBe(owner(infohash));
  });

  it('is the one that plays it, under any of its names', () => {
    for (const worker of [0, 1, 2, 3]) {
      expect(owner(id, [session(worker)])).toBe(worker);
      expect(owner(infohash, [session(worker, { infohash: HASH })])).toBe(worker);
      expect(owner(id, [session(worker, { keyType: 'infohash', key: HASH, infohash: HASH })], HASH)).toBe(worker);
    }
  });

  it('is the one that has the stream of a segment', () => {
    const sessions = [session(0), session(3, { streamId: 'the-stream', key: 'c'.repeat(40) })];
    expect(ownerOf({ selector: id, streamId: 'the-stream' }, 4, sessions, () => null)).toBe(3);
  });

  it('is one and the same while two workers play it', () => {
    const two = [session(0, { infohash: HASH }), session(1, { keyType: 'infohash', key: HASH, infohash: HASH })];
    const answers = [owner(id, two, HASH), owner(infohash, two, HASH), owner(id, [...two].reverse(), HASH)];
    expect(new Set(answers.slice(0, 2)).size).toBe(1);
    expect([0, 1]).toContain(answers[2]);
  });
});

describe('one content in two workers', () => {
  const one = { worker: 0, streamId: 'one', keyType: 'content_id', key: ID, infohash: HASH, isStarting: true } as const;
  const other = { worker: 1, streamId: 'other', keyType: 'infohash', key: HASH, infohash: HASH, isStarting: true } as const;
  const moves = (a: OwnedSession, b: OwnedSession) => streamThatMoves(a, b, 2)?.streamId ?? null;

  it('moves to the worker that already plays it', () => {
    expect(moves(one, { ...other, isStarting: false })).toBe('one');
    expect(moves({ ...one, isStarting: false }, other)).toBe('other');
  });

  it('moves to the worker that it belongs to while both start, whichever side is asked', () => {
    expect(moves(one, other)).toBe(moves(other, one));
    expect(moves(one, other)).not.toBeNull();
  });

  it('stays where it is in both once both play: nobody is interrupted', () => {
    expect(moves({ ...one, isStarting: false }, { ...other, isStarting: false })).toBeNull();
  });

  it('stays when it is not known to be one content, or when an alternative of a viewer has the same name', () => {
    expect(moves({ ...one, infohash: null }, other)).toBeNull();
    expect(moves(one, { ...one, worker: 1, streamId: 'other' })).toBeNull();
    expect(moves(one, { ...other, worker: 0 })).toBeNull();
  });
});
