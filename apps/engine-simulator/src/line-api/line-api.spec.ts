import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestEngine, readBytes, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import type { Knobs } from '../faults/knobs.js';
import { encodedUrl, parseCommand, statusLine } from './line-messages.js';

const ID = '01'.repeat(20);
let running: TestEngine | null = null;
let socket: Socket | null = null;

async function dial(knobs: Partial<Knobs> = {}) {
  running = await startEngine(knobs);
  socket = connect(running.engine.api.port, '127.0.0.1');
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const say = (line: string) => socket!.write(`${line}\r\n`);
  /** The next line that begins with `start`; others before it are passed over. */
  const hear = async (start: string): Promise<string> => {
    for (let next = await lines.next(); !next.done; next = await lines.next()) if (next.value.startsWith(start)) return next.value;
    throw new Error(`the connection ended before "${start}"`);
  };
  say('HELLOBG version=4');
  const hello = await hear('HELLOTS');
  const key = /key=([0-9a-f]{10})/.exec(hello)![1];
  const ready = () => say(`READY key=n51LvQoTlJzNGaFxseRK-${createHash('sha1').update(`${key}n51LvQoTlJzNGaFxseRK-uvnvxD`).digest('hex')}`);
  return { ...running, say, hear, hello, ready };
}
afterEach(async () => {
  socket?.destroy();
  await running?.stop();
});

describe('the line API', () => {
  it('greets with version, key and HTTP port', async () => {
    const { hello, engine } = await dial();
    expect(hello).toMatch(
      new RegExp(`^HELLOTS version=3.2.11 version_code=3021100 key=[0-9a-f]{10} http_port=${engine.http.port} bmode=0$`),
    );
  });

  it('does nothing for who has no key', async () => {
    const { say, hear } = await dial();
    say('READY');
    expect(await hear('NOTREADY')).toBe('NOTREADY');
    say(`LOADASYNC 1 PID ${ID}`);
    expect(await hear('')).toBe('NOTREADY');
  });

  it('loads, starts, tells how it goes and stops', async () => {
    const { say, hear, ready, engine } = await dial();
    ready();
    expect(await hear('AUTH')).toBe('AUTH 1');
    say('SETOPTIONS use_stop_notifications=1');
    say(`LOADASYNC 123 PID ${ID}`);
    const reply = await hear('LOADRESP 123 ');
    expect(reply).toContain('{"status": 1, "files": [["');
    const loaded = JSON.parse(reply.slice('LOADRESP 123 '.length));
    expect(loaded).toMatchObject({ status: 1, files: [[expect.any(String), 0]], infohash: expect.stringMatching(/^[0-9a-f]{40}$/) });
    say(`START PID ${ID} 0 output_format=http`);
    expect(await hear('STATE')).toBe('STATE 1');
    const started = await hear('START url=');
    const url = decodeURIComponent(/url=(\S+)/.exec(started)![1]);
    expect(url).toBe(`http://127.0.0.1:${engine.http.port}/content/${loaded.infohash}/${url.split('/').pop()}`);
    const stream = await fetch(url);
    expect((await readBytes(stream.body!, 100_000)).length).toBeGreaterThanOrEqual(100_000);
    expect(await hear('STATE')).toBe('STATE 2');
    say('STATUS');
    expect(await hear('STATUS main:dl')).toMatch(/^STATUS main:dl;0;0;\d+;0;\d+;\d+;0;\d+;0;\d+$/);
    say('STOP');
    expect(await hear('STATE')).toBe('STATE 0');
    await readBytes(stream.body!, Infinity);
  });

  it('ends the playback with the connection', async () => {
    const { say, hear, ready, engine } = await dial();
    ready();
    say(`START INFOHASH ${ID} 0 0 0 0 output_format=http`);
    await hear('START url=');
    const ended = new Promise<void>((resolve) => engine.parts.sessions.list()[0].dependants.add({ sessionEnded: () => resolve() }));
    socket!.destroy();
    await ended;
    expect(engine.parts.counters.snapshot().sessions).toMatchObject({ opened: 1, stopped: 1, active: 0 });
  });

  it('says what it cannot load', async () => {
    const { say, hear, ready } = await dial();
    ready();
    say('LOADASYNC 5 PID fa17010000000000000000000000000000000000');
    expect(JSON.parse((await hear('LOADRESP 5 ')).slice('LOADRESP 5 '.length))).toEqual({ status: 100, message: 'failed to load content' });
  });

  it('shuts the connection when asked to', async () => {
    const { say, hear } = await dial();
    const closed = once(socket!, 'close');
    say('SHUTDOWN');
    expect(await hear('SHUTDOWN')).toBe('SHUTDOWN');
    await closed;
  });
});

describe('its words', () => {
  it('are read with their options', () => {
    expect(parseCommand('start pid abc 0 output_format=http\r')).toEqual({
      name: 'START',
      words: ['pid', 'abc', '0', 'output_format=http'],
      options: new Map([['output_format', 'http']]),
    });
  });

  it('tell a prebuffer as the documentation shows it', () => {
    const statistics = {
      status: 'prebuf' as const,
      progress: 50,
      peers: 8,
      speedDown: 87,
      speedUp: 0,
      downloaded: 835_584,
      uploaded: 0,
      livepos: null,
    };
    expect(statusLine(statistics)).toBe('STATUS main:prebuf;50;0;0;0;87;0;0;8;0;835584;0;0');
  });

  it('carry addresses as engines encode them', () => {
    expect(encodedUrl('http://127.0.0.1:6878/content/ab/0.42')).toBe('http%3A//127.0.0.1%3A6878/content/ab/0.42');
  });
});
