/** The engine's own pages and settings: /webui/app/<token>/…, /settings/…, /app/<token>/monitor, and PATCH /api/v1/settings of some images. */
import type { EngineParts } from '../engine-parts.js';
import type { Exchange } from './exchange.js';

const MAX_BODY_BYTES = 65_536;
const SETTINGS = new Set(['upload_limit', 'download_limit', 'live_buffer', 'live_cache_type']);

export class AdminHandler {
  private readonly settings: Record<string, unknown> = {};

  constructor(private readonly engine: EngineParts) {}

  /** /webui/app/<token>/server and /webui/app/<token>/cmd/<command>. */
  webuiApp(exchange: Exchange, token: string, rest: string[]): void {
    if (token !== this.engine.accessToken) return exchange.text(403, 'access denied');
    const [page, command] = rest;
    if (page === 'server') return exchange.reply(200, 'text/html', '<html><body><h1>Simulated AceStream engine</h1></body></html>');
    if (page === 'cmd' && command === 'clearcache') return exchange.json({ result: 'ok', error: null });
    if (page === 'cmd' && command === 'shutdown') {
      exchange.json({ result: 'ok', error: null });
      exchange.response.once('finish', () => this.engine.shutdown());
      return;
    }
    exchange.text(404, 'Not Found');
  }

  settingsPage(exchange: Exchange, action: string): void {
    if (action === 'get') return exchange.json({ result: this.settings, error: null });
    if (action !== 'set') return exchange.text(404, 'Not Found');
    for (const [name, value] of exchange.url.searchParams) if (SETTINGS.has(name)) this.settings[name] = value;
    exchange.json({ result: 'ok', error: null });
  }

  async patchSettings(exchange: Exchange): Promise<void> {
    if (exchange.request.headers['x-api-key'] !== this.engine.accessToken) return exchange.text(401, 'access denied');
    if (exchange.method !== 'PATCH') return exchange.text(405, 'Method Not Allowed');
    const body = await readBody(exchange);
    const given = body === null ? null : parseObject(body);
    if (!given) return exchange.text(400, 'Bad Request');
    const unknown = Object.keys(given).find((name) => !SETTINGS.has(name));
    if (unknown) return exchange.text(422, `unknown setting ${unknown}`);
    Object.assign(this.settings, given);
    exchange.reply(204, 'text/plain', '');
  }
}

/** The request's body as text, or null where it is longer than any this engine takes. */
export async function readBody(exchange: Pick<Exchange, 'request'>): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of exchange.request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The text as a JSON object, or null where it is none. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // Not JSON: the caller answers 400.
  }
}
