import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseDockerEvent } from './docker-event.js';
import { dockerLines } from './docker-lines.js';

const CORPUS = readFileSync(new URL('./fixtures/docker-events.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const CHANGED = { type: 'changed' };
const LOST = { type: 'lost' };

async function linesOf(chunks: readonly Buffer[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of dockerLines(Readable.from(chunks))) lines.push(line);
  return lines;
}

/** The text in two chunks, cut at any byte. */
function cut(text: string, at: number): Buffer[] {
  const bytes = Buffer.from(text);
  return [bytes.subarray(0, at % bytes.length), bytes.subarray(at % bytes.length)];
}

describe('events of Docker', () => {
  it('names the container of an event with and without the top-level id, and lists the engines again after any other line', () => {
    expect(CORPUS.map(parseDockerEvent)).toEqual([
      { type: 'died', id: '0d0d13b27663aa' },
      { type: 'started', id: '77aa01' },
      { type: 'removed', id: '77aa01' },
      null,
      CHANGED,
      ...Array<unknown>(6).fill(CHANGED),
      ...Array<unknown>(3).fill(LOST),
    ]);
  });

  it('every line is an event with an id, or asks for a new list', () => {
    const id = fc.oneof(fc.string(), fc.anything());
    const action = fc.oneof(fc.constantFrom('start', 'die', 'destroy', 'pause'), fc.anything());
    const event = fc.record({ Action: action, Actor: fc.oneof(fc.record({ ID: id }), fc.anything()) }, { requiredKeys: [] });
    const line = fc.oneof(
      fc.string(),
      event.map((value) => JSON.stringify(value) ?? ''),
    );
    fc.assert(
      fc.property(line, (text) => {
        const parsed = parseDockerEvent(text);
        if (parsed === null) return;
        if (!('id' in parsed)) {
          expect([CHANGED, LOST]).toContainEqual(parsed);
          return;
        }
        const { Actor } = JSON.parse(text) as { Actor: { ID: string } };
        expect(parsed.id).toBe(Actor.ID);
        expect(parsed.id).not.toBe('');
      }),
      { examples: CORPUS.map((text) => [text]) },
    );
  });

  it('reads the same lines wherever the network cuts the stream', async () => {
    const text = `${CORPUS.join('\r\n\n')}\n{"Action":"größer"}`;
    const whole = await linesOf([Buffer.from(text)]);
    expect(whole).toHaveLength(CORPUS.length + 1);
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (at) => {
        expect(await linesOf(cut(text, at))).toEqual(whole);
      }),
    );
  });

  it('ends with an error at a line without an end', async () => {
    await expect(linesOf([Buffer.alloc(600_000, 'x'), Buffer.alloc(600_000, 'x')])).rejects.toThrow('a line of more than');
  });
});
