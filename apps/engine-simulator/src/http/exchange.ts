/** One request to the engine's HTTP port, with the replies in the engine's manner. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pythonJson } from './python-json.js';

/** As engines of 3.1 call themselves. */
const SERVER = 'BaseHTTP/0.3 Python/2.7.18';

export class Exchange {
  readonly url: URL;
  readonly method: string;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.method = request.method ?? 'GET';
    this.url = new URL(request.url ?? '/', 'http://engine');
    response.setHeader('Server', SERVER);
  }

  query(name: string): string | null {
    return this.url.searchParams.get(name);
  }

  /** The client's address, IPv4 where it is one. */
  get remote(): string {
    return (this.request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  /** Addresses in replies are made of the Host header, as the client knows the engine. */
  get origin(): string {
    const { localAddress, localPort } = this.request.socket;
    return `http://${this.request.headers.host ?? `${localAddress}:${localPort}`}`;
  }

  reply(status: number, contentType: string, body: string | Buffer, headers: Record<string, string> = {}): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': bytes.length, ...headers });
    this.response.end(bytes);
  }

  json(value: unknown): void {
    const callback = this.query('format') === 'jsonp' ? this.query('callback') : null;
    if (callback) this.reply(200, 'application/javascript', `${callback}(${pythonJson(value)});`);
    else this.reply(200, 'application/json', pythonJson(value));
  }

  /** The form of the playback addresses: HTTP 200, also for errors. */
  response200(response: unknown, error: string | null = null): void {
    this.json({ response, error });
  }

  text(status: number, text: string): void {
    this.reply(status, 'text/plain', text);
  }

  redirect(location: string): void {
    this.reply(302, 'text/html', `<html><body>The document has moved <a href="${location}">here</a>.</body></html>`, {
      Location: location,
    });
  }
}

export const UNKNOWN_SESSION = 'unknown playback session id';
