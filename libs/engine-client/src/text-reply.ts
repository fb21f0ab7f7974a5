/** One GET of the engine's API, for replies of some hundred bytes. On node:http itself: with an HTTP client on top, a call costs twice the processor time. */
import { Agent, get, type IncomingMessage } from 'node:http';
import { brotliDecompressSync, unzipSync } from 'node:zlib';

/** JSON replies have hundreds of bytes. */
const MAX_REPLY_BYTES = 1024 * 1024;
const HEADERS = { Accept: 'application/json', 'Accept-Encoding': 'identity' };
/** We ask for none, and some engines compress all the same. */
const DECOMPRESS = new Map([
  ['gzip', unzipSync],
  ['x-gzip', unzipSync],
  ['deflate', unzipSync],
  ['br', brotliDecompressSync],
]);

/**
 * Shared by all clients of this process: at most 64 connections to an engine, which starts without a reply may hold for a minute. Idle ones close
 * after 4 s.
 */
const sharedAgent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 1, timeout: 4000, scheduling: 'lifo' });

export interface TextReply {
  status: number;
  location: string | undefined;
  body: string;
}

/** The body of a reply is too long, cut off, or damaged. */
export class UnreadableBodyError extends Error {}

/**
 * Repeats the request if it used a connection that the engine had already closed: all calls of this API may be repeated.
 * @throws UnreadableBodyError, the system's error of the connection, or an AbortError
 */
export async function getText(url: URL, signal: AbortSignal): Promise<TextReply> {
  const response = await request(url, signal).catch((error: unknown) => {
    if (signal.aborted || !wasClosedWhileIdle(error)) throw error;
    return request(url, signal);
  });
  const bytes = await readBody(response);
  const decompress = DECOMPRESS.get(response.headers['content-encoding'] ?? '');
  return {
    status: response.statusCode!,
    location: response.headers.location,
    body: new TextDecoder().decode(decompress === undefined ? bytes : decompressed(bytes, decompress)),
  };
}

function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = get(url, { agent: sharedAgent, headers: HEADERS, signal }, resolve);
    call.on('error', (error) => reject(Object.assign(error, { reusedSocket: call.reusedSocket })));
  });
}

function wasClosedWhileIdle(error: unknown): boolean {
  const { reusedSocket, code } = error as { reusedSocket?: boolean; code?: string };
  return reusedSocket === true && (code === 'ECONNRESET' || code === 'EPIPE');
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_REPLY_BYTES) response.destroy(new UnreadableBodyError(`the reply exceeded ${MAX_REPLY_BYTES} bytes`));
    });
    response.on('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length)));
    response.on('error', (cause) =>
      reject(cause instanceof UnreadableBodyError ? cause : new UnreadableBodyError('the reply was cut off', { cause })),
    );
  });
}

function decompressed(bytes: Buffer, decompress: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer): Buffer {
  try {
    return decompress(bytes, { maxOutputLength: MAX_REPLY_BYTES });
  } catch (cause) {
    throw new UnreadableBodyError(`the compressed reply is damaged or exceeded ${MAX_REPLY_BYTES} bytes`, { cause });
  }
}
