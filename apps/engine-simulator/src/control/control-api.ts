/**
 * The control API on its own port, for tests: what the engine has seen, and faults at run time. It is up while the engine boots, hangs or
 * refuses, and listens on 127.0.0.1 only.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { SessionEnd } from '../counters/counters.js';
import type { Engine } from '../engine.js';
import { type Knobs, KnobError, isKnobName, parseKnobs } from '../faults/knobs.js';
import { EVERYTHING } from '../faults/fault-book.js';
import { parseObject, readBody } from '../http/admin.js';

/** The control API cannot do what it was asked to. */
export class ControlError extends Error {
  readonly code = 'bad_control_request';
}

export interface FaultOrder {
  target: string;
  knobs: Partial<Knobs>;
  forMs: number | null;
}

/**
 * Reads `{target, fault, params?, forMs?}`: `params` is the knob's value (true where it is absent), or an object with the knob's and further
 * knobs' values; `{target, faults: {…}}` sets several at once. Throws ControlError or KnobError.
 */
export function parseFaultOrder(body: Record<string, unknown>): FaultOrder {
  const { target = EVERYTHING, fault, params, faults, forMs = null } = body;
  if (typeof target !== 'string') throw new ControlError('target is "*", a content id or an infohash');
  if (forMs !== null && !(typeof forMs === 'number' && forMs > 0)) throw new ControlError('forMs is a number of ms');
  const values: Record<string, unknown> = {};
  const isObject = (value: unknown): value is Record<string, unknown> =>
    value !== null && typeof value === 'object' && !Array.isArray(value);
  if (typeof fault === 'string') {
    if (!isKnobName(fault)) throw new KnobError(`${fault}: there is no such knob`);
    if (isObject(params)) Object.assign(values, fault in params ? {} : { [fault]: true }, params);
    else values[fault] = params ?? true;
  }
  if (isObject(faults)) Object.assign(values, faults);
  if (Object.keys(values).length === 0) throw new ControlError('name a fault, or several in faults');
  return { target: target.toLowerCase(), knobs: parseKnobs(values, target === EVERYTHING ? 'engine' : 'content'), forMs };
}

const SESSION_ENDS: readonly SessionEnd[] = ['stopped', 'expired', 'superseded', 'lost'];

function isSessionEnd(how: unknown): how is SessionEnd {
  return SESSION_ENDS.some((end) => end === how);
}

export class ControlApi {
  readonly server: Server;

  constructor(
    private readonly engine: Engine,
    private readonly kill: () => void,
  ) {
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        const isOurs = error instanceof ControlError || error instanceof KnobError;
        this.reply(response, isOurs ? 400 : 500, { error: error instanceof Error ? error.message : String(error) });
      });
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://control');
    const { faults, counters } = this.engine.parts;
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /__sim/state':
        return this.reply(response, 200, this.describe());
      case 'GET /__sim/metrics':
        return this.reply(response, 200, counters.snapshot());
      case 'GET /__sim/log':
        return this.reply(response, 200, { requests: counters.requests });
      case 'POST /__sim/faults': {
        const body = parseObject((await readBody({ request })) ?? '');
        if (!body) throw new ControlError('the body is not a JSON object');
        const order = parseFaultOrder(body);
        faults.set(order.target, order.knobs, order.forMs);
        return this.reply(response, 200, { faults: faults.list() });
      }
      case 'DELETE /__sim/faults':
        faults.clear(url.searchParams.get('target')?.toLowerCase() ?? null);
        return this.reply(response, 200, { faults: faults.list() });
      case 'POST /__sim/end': {
        const { target = EVERYTHING, how = 'superseded' } = parseObject((await readBody({ request })) ?? '') ?? {};
        if (!isSessionEnd(how)) throw new ControlError(`how is one of ${SESSION_ENDS.join(', ')}`);
        const meant = this.engine.parts.sessions
          .list()
          .filter(({ content }) => target === EVERYTHING || target === content.infohash || target === content.id);
        for (const session of meant) this.engine.parts.sessions.end(session, how);
        return this.reply(response, 200, { ended: meant.length });
      }
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

  private describe() {
    const { engine } = this;
    const { options, sessions, faults } = engine.parts;
    return {
      engineId: options.engineId,
      pid: process.pid,
      state: engine.state,
      startedAt: engine.startedAt,
      ports: { http: engine.http.port, https: engine.https.port, api: engine.api.port, p2p: engine.p2p.port },
      accessToken: engine.parts.accessToken,
      knobs: faults.engine,
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
        readers: session.readerCount,
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
