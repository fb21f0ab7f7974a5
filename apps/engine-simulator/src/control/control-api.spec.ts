import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../engine.js';
import { NO_PORTS, QUICK, startEngine } from '../../../../test/doubles/simulated-engine.fixture.js';
import { settingsFromEnvironment } from '../faults/simulator-settings.js';
import { Listener, PortError } from '../listener.js';
import { ControlApi } from './control-api.js';

const ID = '01'.repeat(20);
let cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanups.splice(0)) await close();
  cleanups = [];
});

async function control(engine: Engine, kill: () => void = () => undefined) {
  const listener = new Listener('control', new ControlApi(engine, kill).server, '127.0.0.1', 0);
  await listener.open();
  cleanups.push(
    () => listener.close(),
    () => engine.down(),
  );
  return async (method: string, path: string, body?: unknown) => {
    const reply = await fetch(`http://127.0.0.1:${listener.port}/__sim/${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- asserted field by field
    return { status: reply.status, body: (await reply.json()) as any };
  };
}

describe('control API', () => {
  it('answers while the engine boots', async () => {
    const engine = new Engine(
      NO_PORTS,
      { ...settingsFromEnvironment({}), ...QUICK, bootMs: 60_000 },
      { log: () => undefined, exit: () => undefined },
    );
    const call = await control(engine);
    const booting = engine.boot();
    expect((await call('GET', 'state')).body).toMatchObject({ state: 'booting', engineId: 'engine-under-test' });
    await engine.down();
    await expect(booting).rejects.toThrow(/abort/i);
  });

  it('injects and clears faults, and rejects invalid ones', async () => {
    const { engine, url } = await startEngine();
    const call = await control(engine);
    expect((await call('POST', 'faults', { fault: 'unavailable' })).body.faults).toEqual([
      { target: '*', settings: { unavailable: true }, until: null },
    ]);
    expect((await fetch(url)).status).toBe(503);
    expect((await call('DELETE', 'faults?target=*')).body.faults).toEqual([]);
    expect((await fetch(url)).status).toBe(404);
    expect(await call('POST', 'faults', { fault: 'nonsense' })).toMatchObject({
      status: 400,
      body: { error: 'unknown setting nonsense: see the README of the engine simulator' },
    });
    expect((await call('POST', 'faults', [])).status).toBe(400);
    expect((await call('GET', 'nowhere')).status).toBe(404);
  });

  it('shows sessions, metrics and requests', async () => {
    const { engine, play } = await startEngine();
    const call = await control(engine);
    const { infohash, playback_session_id } = await play(`id=${ID}&pid=p`);
    expect((await call('GET', 'state')).body.sessions).toMatchObject([
      { infohash, id: ID, pid: 'p', kind: 'ts', playbackSessionId: playback_session_id, readers: 0 },
    ]);
    const { body } = await call('GET', 'metrics');
    expect(body).toMatchObject({
      starts: 1,
      sessions: { opened: 1, active: 1 },
      contents: { [infohash]: { maxActive: 1 } },
      routes: { '/ace/getstream': 1 },
    });
    const [request] = (await call('GET', 'log')).body.requests;
    expect(request).toMatchObject({ route: '/ace/getstream', method: 'GET', remote: '127.0.0.1' });
    expect(Math.abs(Date.now() - request.at)).toBeLessThan(10_000);
  });

  it('ends sessions on request', async () => {
    const { engine, play, json } = await startEngine();
    const call = await control(engine);
    const { stat_url } = await play(`id=${ID}&pid=p`);
    expect((await call('POST', 'end', { target: ID, how: 'lost' })).body).toEqual({ ended: 1 });
    expect((await json(stat_url)).error).toBe('unknown playback session id');
    expect((await call('POST', 'end', { how: 'nonsense' })).status).toBe(400);
  });

  it('restarts the engine on the same port, without its sessions', async () => {
    const { engine, play, json, lines } = await startEngine();
    const call = await control(engine);
    const { stat_url } = await play(`id=${ID}&pid=p`);
    expect((await call('POST', 'restart')).status).toBe(202);
    await vi.waitFor(() => expect(lines.filter((line) => line.includes('(api)'))).toHaveLength(2), 10_000);
    expect((await json(stat_url)).error).toBe('unknown playback session id');
    expect(engine.context.metrics.snapshot().sessions).toMatchObject({ opened: 1, lost: 1, stopped: 0 });
  });

  it('kills the engine after the reply', async () => {
    const { engine } = await startEngine();
    let killed: () => void = () => undefined;
    const death = new Promise<void>((resolve) => (killed = resolve));
    const call = await control(engine, killed);
    expect((await call('POST', 'kill')).status).toBe(202);
    await death;
  });
});

describe('occupied port', () => {
  it('makes the start fail with an error that names the port', async () => {
    const first = await startEngine();
    cleanups.push(() => first.stop());
    const taken = startEngine({}, { httpPort: first.engine.http.port });
    await expect(taken).rejects.toThrow(PortError);
    await expect(taken).rejects.toThrow(/cannot listen on http port \d+ of 127.0.0.1: EADDRINUSE/);
  });
});

describe('other ports', () => {
  it('accept connections, and the API port closes them at once', async () => {
    const { engine } = await startEngine();
    cleanups.push(() => engine.down());
    for (const { port } of [engine.https, engine.p2p]) {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
    }
    await once(connect(engine.api.port, '127.0.0.1').resume(), 'close');
  });
});
