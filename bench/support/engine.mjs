/** A simulated engine without an orchestrator, and streams requested from an engine directly. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, until } from './bench.mjs';
import { timeOf } from './pair.mjs';

const ENTRY = fileURLToPath(new URL('../../apps/engine-simulator/dist/main.js', import.meta.url));
let players = 0;

export function untilAnswers(engineUrl) {
  return until('the engine answers', async () => (await fetch(`${engineUrl}/webui/api/service?method=get_version`)).ok);
}

/** Milliseconds from the request to the first byte, and to `bytes`. `leave` stops the session. */
export async function start(engineUrl, id, bytes) {
  const startedAt = performance.now();
  const reply = await (await fetch(`${engineUrl}/ace/getstream?format=json&id=${id}&pid=bench-${players++}`)).json();
  if (reply.error) throw new Error(reply.error);
  const askedMs = performance.now() - startedAt;
  const { firstMs, enoughMs, leave } = await timeOf(reply.response.playback_url, bytes);
  return {
    firstMs: askedMs + firstMs,
    enoughMs: askedMs + enoughMs,
    async leave() {
      await leave();
      await (await fetch(`${reply.response.command_url}?method=stop`)).text();
    },
  };
}

/** The same times. Stops the session at once. */
export async function timeOfStart(engineUrl, id, bytes) {
  const { leave, ...times } = await start(engineUrl, id, bytes);
  await leave();
  return times;
}

export class Engine {
  static async start(env) {
    const engine = new Engine();
    const [port, https, api, p2p] = await freePorts(4);
    engine.url = `http://127.0.0.1:${port}`;
    engine.folder = mkdtempSync(path.join(os.tmpdir(), 'bench-engine-'));
    const options = ['--http-port', port, '--https-port', https, '--api-port', api, '--port', p2p, '--state-dir', engine.folder];
    engine.child = spawn(process.execPath, [ENTRY, '--client-console', ...options.map(String)], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: process.env.PATH, ...env },
    });
    await untilAnswers(engine.url);
    return engine;
  }

  timeOfStart(id, bytes) {
    return timeOfStart(this.url, id, bytes);
  }

  async stop() {
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await once(this.child, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
