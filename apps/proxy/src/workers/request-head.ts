/** Reads the head of a request from a connection, as an HTTP server does: with a limit for its size and its time. */
import type { Socket } from 'node:net';
import { MAX_HEADER_BYTES } from '@acexy/service-kit';

/** `complete`: a head of HTTP. `other`: an HTTP server has to say what is wrong with it. `late`: it did not arrive in time. `gone`: the client left. */
export type HeadOutcome = 'complete' | 'other' | 'late' | 'gone';

export interface ReadHead {
  outcome: HeadOutcome;
  /** Everything that was read: the head, and what the client sent after it. */
  bytes: Buffer;
}

const END = Buffer.from('\r\n\r\n');
const METHOD_START = /^[A-Z\r\n]/;
const REQUEST_LINE = /^[A-Z-]{1,32} (\S+) HTTP\/1\.[01]$/;

/** Whether the bytes so far are a complete head, or can never become one; null: more bytes are needed. */
export function judgeHead(bytes: Buffer): 'complete' | 'other' | null {
  if (!METHOD_START.test(bytes.toString('latin1', 0, 1))) return 'other';
  const end = bytes.indexOf(END);
  if (end >= 0 && end <= MAX_HEADER_BYTES) return targetOf(bytes) === null ? 'other' : 'complete';
  if (bytes.length > MAX_HEADER_BYTES) return 'other';
  // A first line without an end of HTTP's kind: the rest does not matter.
  return bytes.includes('\n') && targetOf(bytes) === null ? 'other' : null;
}

/** The target in the first line, one character for each byte; null if the line is not one of HTTP/1. */
export function targetOf(head: Buffer): string | null {
  const line = head.toString('latin1', 0, MAX_HEADER_BYTES).split('\r\n', 1)[0];
  return REQUEST_LINE.exec(line)?.[1] ?? null;
}

/** Reads until the head is complete. The socket is then paused. */
export function readHead(socket: Socket, limitMs: number): Promise<ReadHead> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = (outcome: HeadOutcome): void => {
      clearTimeout(limit);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd).pause();
      resolve({ outcome, bytes });
    };
    const onData = (part: Buffer): void => {
      bytes = bytes.length === 0 ? part : Buffer.concat([bytes, part]);
      const outcome = judgeHead(bytes);
      if (outcome !== null) finish(outcome);
    };
    const onEnd = (): void => finish('gone');
    const limit = setTimeout(() => finish('late'), limitMs);
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd);
  });
}
