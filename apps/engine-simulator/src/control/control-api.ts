/**
 * The control API for tests, on its own port of 127.0.0.1: what the engine has seen, and faults at run time. It answers also while the engine
 * boots, hangs or refuses connections.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Engine } from '../engine.js';
import { WHOLE_ENGINE } from '../faults/fault-injector.js';
import { type SimulatorSettings, parseSettings } from '../faults/simulator-settings.js';
import { InputError } from '../input-error.js';
import type { EndReason } from '../metrics/engine-metrics.js';

const MAX_BODY_BYTES = 65_536;

export interface FaultRequest {
  target: string;
  settings: Partial<SimulatorSettings>;
  forMs: number | null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/**
 * Reads `{target, fault, params?, forMs?}`. `fault` is a setting. `params` is its value (default: true), or an object with its value and those
 * of other settings. `{target, faults: {…}}` injects several settings. @throws InputError
 */
export function parseFaultRequest(body: Record<string, unknown>): FaultRequest {
  const { target = WHOLE_ENGINE, fault, params, faults, forMs = null } = body;
  if (typeof target !== 'string') throw new InputError('target must be "*", a content id or an infohash');
  if (forMs !== null && !(typeof forMs === 'number' && forMs > 0))
    throw new InputError(`forMs is ${JSON.stringify(forMs)}: it must be a number of milliseconds above 0`);
  const values: Record<string, unknown> = {};
  if (typeof fault === 'string') {
    if (isObject(params)) Object.assign(values, fault in params ? {} : { [fault]: true }, params);
    else values[fault] = params ?? true;
  }
  if (isObject(faults)) Object.assign(values, faults);
  if (Object.keys(values).length === 0) throw new InputError('no fault given: set fault or faults');
  return { target: target.toLowerCase(), settings: parseSettings(values, target === WHOLE_ENGINE ? 'engine' : 'content'), forMs };
}

async function readObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request as AsyncIterable<string>) {
    text += part;
    if (text.length > MAX_BODY_BYTES) throw new InputError(`the body has more than ${MAX_BODY_BYTES} bytes`);
  }
  try {
    const value: unknown = JSON.parse(text || '{}');
    if (isObject(value)) return value;
  } catch {
    // Reported below, like other values that are no object.
  }
  throw new InputError('the body must be a JSON object');
}

const END_REASONS: readonly EndReason[] = ['stopped', 'expired', 'superseded', 'lost'];

export class ControlApi {
  readonly server: Server;

  constructor(
    private readonly engine: Engine,
    private readonly kill: () => void,
  ) {
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        this.reply(response, error instanceof InputError ? 400 : 500, { error: error instanceof Error ? error.message : String(error) });
      });
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://control');
    const { faults, metrics } = this.engine.context;
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /__sim/state':
        return this.reply(response, 200, this.describe());
      case 'GET /__sim/metrics':
        return this.reply(response, 200, metrics.snapshot());
      case 'GET /__sim/log':
        return this.reply(response, 200, { requests: metrics.requests });
      case 'POST /__sim/faults': {
        const { target, settings, forMs } = parseFaultRequest(await readObject(request));
        faults.set(target, settings, forMs);
        return this.reply(response, 200, { faults: faults.list() });
      }
      case 'DELETE /__sim/faults':
        faults.clear(url.searchParams.get('target')?.toLowerCase() ?? null);
        return this.reply(response, 200, { faults: faults.list() });
      case 'POST /__sim/end':
        return this.reply(response, 200, { ended: this.endSessions(await readObject(request)) });
      case 'POST /__sim/restart':
        this.engine.restart().catch((error: unknown) => console.error(`restart failed: ${(error as Error).message}`));
        return this.reply(response, 202, { ok: true });
      case 'POST /__sim/kill':
        response.once('finish', this.kill);
        return this.reply(response, 202, { ok: true });
      default:
        return this.reply(response, 404, { error: 'not found' });
    }
  }

  /** Returns the number of ended sessions. */
  private endSessions({ target = WHOLE_ENGINE, how = 'superseded' }: Record<string, unknown>): number {
    const reason = END_REASONS.find((name) => name === how);
    if (!reason) throw new InputError(`how is ${JSON.stringify(how)}: it must be one of ${END_REASONS.join(', ')}`);
    const { sessions } = this.engine.context;
    const selected = sessions
      .list()
      .filter(({ content }) => target === WHOLE_ENGINE || target === content.infohash || target === content.id);
    for (const session of selected) sessions.end(session, reason);
    return selected.length;
  }

  private describe() {
    const { engine } = this;
    const { options, sessions, faults } = engine.context;
    return {
      engineId: options.engineId,
      pid: process.pid,
      state: engine.state,
      startedAt: engine.startedAt,
      ports: { http: engine.http.port, https: engine.https.port, api: engine.api.port, p2p: engine.p2p.port },
      accessToken: engine.context.accessToken,
      settings: faults.engineSettings,
      faults: faults.list(),
      sessions: sessions.list().map((session) => ({
        infohash: session.infohash,
        id: session.content.id,
        pid: session.pid,
        kind: session.kind,
        keys: session.keys,
        playbackSessionId: session.playbackSessionId,
        createdAt: session.createdAt,
        readyAt: session.readyAt,
        lastRead: session.lastRead,
        idleMs: session.idleMs,
        readers: session.readers.size,
        bytesSent: session.bytesSent,
        stalled: session.stalledSince !== null,
      })),
    };
  }

  private reply(response: ServerResponse, status: number, body: unknown): void {
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length }).end(bytes);
  }
}
