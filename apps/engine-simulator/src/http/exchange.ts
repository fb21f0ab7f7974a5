/** One request to the engine's HTTP port, and replies in the form of a real engine. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pythonJson } from './python-json.js';

/** The Server header of engine 3.1. */
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

  /** The client's address; an IPv4 address without the IPv6 prefix. */
  get remote(): string {
    return (this.request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  /** The origin of URLs in replies: a real engine, too, takes it from the Host header. */
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
    this.reply(200, 'application/json', pythonJson(value));
  }

  /** The reply of all playback calls: HTTP 200, also for errors. */
  envelope(response: unknown, error: string | null = null): void {
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
