import { StringDecoder } from 'node:string_decoder';

/** Docker sends an event or a progress report in a few kilobytes; labels make it longer. */
const MAX_LINE = 1 << 20;

/**
 * The lines of an endless reply of Docker, without empty ones.
 * @throws Error when the connection breaks, or a line is longer than 1 MiB
 */
export async function* dockerLines(reply: AsyncIterable<Buffer | string>): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of reply) {
    const parts = (rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) if (line.trim() !== '') yield line;
    if (rest.length > MAX_LINE) throw new Error(`Docker sent a line of more than ${MAX_LINE} characters`);
  }
  if (rest.trim() !== '') yield rest;
}
