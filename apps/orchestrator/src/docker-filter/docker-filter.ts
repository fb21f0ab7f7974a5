import type { Log } from '@acexy/service-kit';
import { CodedError, isObject, type JsonObject } from '@acexy/service-kit/primitives';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { hostname } from 'node:os';
import type { DockerEndpoint } from '../runtime/docker/docker-endpoint.js';
import type { CreateRules } from './container-create.policy.js';
import { type Forward, planCall, type Plan, projectOf } from './docker-filter.policy.js';

/** A create is a few kilobytes, with the environment of its caller at most the limit of the API. */
const MAX_BODY = 2 ** 20;
const MAX_REPLY = 8 * 2 ** 20;
const LOOK_UP_LIMIT_MS = 20_000;
const REQUEST_LIMIT_MS = 10_000;
const MAX_CONNECTIONS = 200;
/** Headers that belong to one connection, or that change when the reply is built anew. */
const HOP_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer']);

/** Docker does not answer. */
class NoDockerError extends CodedError {
  readonly code = 'no_docker';
}

/**
 * Stands between the orchestrator and Docker: an HTTP server that sends the calls of docs/security.md on to Docker, and refuses all others with 403
 * and the reason. The policy decides; this class reads, asks and copies.
 */
export class DockerFilter {
  private installation: string | null = null;
  /** Undefined until Docker has answered. */
  private project: string | null | undefined;
  private readonly server = createServer({ requestTimeout: REQUEST_LIMIT_MS }, (incoming, outgoing) => {
    this.answer(incoming, outgoing).catch((error: unknown) => this.fail(incoming, outgoing, error));
  });

  constructor(
    private readonly endpoint: DockerEndpoint,
    private readonly rules: Omit<CreateRules, 'project'>,
    private readonly log: Log,
  ) {
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  async listen(port: number, host?: string): Promise<number> {
    this.server.listen(port, host);
    await once(this.server, 'listening');
    return (this.server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort(new Error('the caller has closed the connection')));
    const body = await textOf(incoming, MAX_BODY);
    if (body === null) return send(outgoing, 413, { message: `the body has more than ${MAX_BODY} bytes` });
    const { method = '', url = '' } = incoming;
    if (this.project === undefined) this.project = await this.ownProject(gone.signal);
    const { rules, installation, project } = this;
    let plan = planCall({ method, url, body }, { ...rules, installation, project });
    if (plan.kind === 'look up') {
      const reply = await this.lookUp(plan.container, gone.signal);
      if (reply.statusCode !== 200) return copy(reply, outgoing);
      plan = plan.then(await jsonOf(reply));
    }
    await this.carryOut(plan, incoming, outgoing, gone.signal);
  }

  private async carryOut(plan: Plan, incoming: IncomingMessage, outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
    switch (plan.kind) {
      case 'deny':
        this.log.warn('Docker call refused', { method: incoming.method, path: pathOf(incoming), reason: plan.reason });
        return send(outgoing, 403, { message: `Docker filter: ${plan.reason}` });
      case 'reply':
        return send(outgoing, 200, plan.body);
      case 'forward':
        return this.forward(plan, outgoing, signal);
      case 'look up':
        throw new TypeError('a plan after a look-up looks up again');
      default:
        return plan satisfies never;
    }
  }

  private async forward({ method, path, limitMs, body, fields, installation }: Forward, outgoing: ServerResponse, signal: AbortSignal) {
    if (installation !== undefined && this.installation === null) {
      this.installation = installation;
      this.log.info('installation accepted', { installation });
    }
    const reply = await this.ask(method, path, limitMs, signal, body);
    if (fields === undefined || reply.statusCode !== 200) return copy(reply, outgoing);
    const whole = await jsonOf(reply);
    send(outgoing, 200, Object.fromEntries(fields.map((field) => [field, whole[field]])));
  }

  /** The compose project of this container; null outside compose. */
  private async ownProject(signal: AbortSignal): Promise<string | null> {
    const reply = await this.lookUp(hostname(), signal);
    if (reply.statusCode === 200) return projectOf(await jsonOf(reply));
    reply.resume();
    return null;
  }

  private lookUp(container: string, signal: AbortSignal): Promise<IncomingMessage> {
    return this.ask('GET', `/containers/${container}/json`, LOOK_UP_LIMIT_MS, signal);
  }

  /** @returns Docker's reply as soon as its headers are complete; its body ends with `signal` */
  private async ask(method: string, path: string, limitMs: number, signal: AbortSignal, body?: string): Promise<IncomingMessage> {
    const { options, name } = this.endpoint;
    const { protocol, ...address } = options as { protocol?: string; host?: string; port?: number; socketPath?: string };
    const request = protocol === 'https' ? httpsRequest : httpRequest;
    const headers = {
      Host: 'docker',
      ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
    };
    const call = request({ ...address, method, path, headers, agent: false, signal });
    const limit = setTimeout(() => call.destroy(new NoDockerError(`Docker at ${name} did not answer within ${limitMs / 1000} s`)), limitMs);
    try {
      call.end(body);
      const [reply] = (await once(call, 'response')) as [IncomingMessage];
      return reply;
    } catch (error) {
      if (error instanceof NoDockerError || signal.aborted) throw error;
      throw new NoDockerError(`no Docker Engine answers at ${name} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
    } finally {
      clearTimeout(limit);
    }
  }

  private fail(incoming: IncomingMessage, outgoing: ServerResponse, error: unknown): void {
    if (outgoing.destroyed) return;
    const isExpected = error instanceof NoDockerError;
    if (!isExpected) this.log.error('Docker call failed', { method: incoming.method, path: pathOf(incoming), error });
    if (outgoing.headersSent) return void outgoing.destroy();
    send(outgoing, isExpected ? 503 : 502, { message: (error as Error).message });
  }
}

/** The path alone: the query of a create would have the environment of an engine. */
function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0];
}

/** Null if it is longer. The rest is read too: the connection would otherwise break before the answer. */
async function textOf(message: IncomingMessage, limit: number): Promise<string | null> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length;
    if (length <= limit) parts.push(part);
  }
  return length > limit ? null : Buffer.concat(parts).toString('utf8');
}

async function jsonOf(reply: IncomingMessage): Promise<JsonObject> {
  const text = await textOf(reply, MAX_REPLY);
  const value: unknown = text === null ? null : JSON.parse(text);
  if (!isObject(value)) throw new NoDockerError('the reply of Docker is no JSON object');
  return value;
}

function send(outgoing: ServerResponse, status: number, body: JsonObject): void {
  const text = JSON.stringify(body);
  outgoing.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }).end(text);
}

/** Copies Docker's reply as it arrives. An event stream stays open until one side closes it. */
function copy(reply: IncomingMessage, outgoing: ServerResponse): void {
  const headers = Object.entries(reply.headers).filter(([name]) => !HOP_HEADERS.has(name));
  outgoing.writeHead(reply.statusCode ?? 502, Object.fromEntries(headers));
  outgoing.flushHeaders();
  // Docker is gone: the caller must see that the reply is incomplete.
  reply.once('error', () => outgoing.destroy());
  reply.pipe(outgoing);
}
