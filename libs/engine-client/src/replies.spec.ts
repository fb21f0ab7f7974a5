import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError } from './errors.js';
import {
  findCommandUrl,
  parseDescription,
  parseEnvelope,
  parseObject,
  parsePlayback,
  parseStat,
  type Playback,
  type RawReply,
} from './replies.js';

const address = { host: '127.0.0.1', port: 6878 };

/** What the orchestrator accepts in a report: it would refuse the whole report of the proxy. */
function checked({ playbackUrl, statUrl, commandUrl, playbackSessionId }: Playback): void {
  for (const url of [playbackUrl, statUrl, commandUrl]) expect(url.length).toBeLessThanOrEqual(2048);
  expect(playbackSessionId).toMatch(/^[\x21-\x7e]{1,200}$/);
}

/** Arbitrary replies, and replies with valid names and arbitrary values. */
const replies = fc
  .oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(
        fc.constantFrom('playback_url', 'stat_url', 'command_url', 'playback_session_id', 'infohash', 'is_live', 'peers'),
        fc.oneof(fc.jsonValue(), fc.webUrl(), fc.webPath()),
      )
      .chain((inner) =>
        fc.constantFrom({ response: inner }, { result: inner }, { response: null, error: inner }, { result: inner, error: '' }),
      )
      .map((reply) => JSON.stringify(reply)),
  )
  .chain((body) => fc.constantFrom(200, 404, 500).map((status): RawReply => ({ what: 'a call', status, body })));

interface Case {
  what: string;
  body: string;
  expected: { error: string } | Partial<Playback>;
}

/** What engines sent, and what the random replies of this file found. */
const cases = JSON.parse(readFileSync(new URL('replies.corpus.json', import.meta.url), 'utf8')) as Case[];

describe('the replies of an engine', () => {
  it.each(cases)('with $what are read or refused with the reason', ({ body, expected }) => {
    let outcome: unknown;
    try {
      outcome = parsePlayback({ what: 'a call', status: 200, body }, 'ts', address);
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      outcome = { error: (error as Error).message };
    }
    expect(outcome).toMatchObject(expected);
  });

  it('are parsed or cause a typed error, whatever they contain', () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const readings = [
          () => parseEnvelope(reply, 'response'),
          () => parseObject(reply, 'result'),
          () => parseStat(reply),
          () => parseDescription(reply),
          () => checked(parsePlayback(reply, 'ts', address)),
        ];
        for (const read of readings) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(EngineError);
          }
        }
        findCommandUrl(reply);
      }),
      { numRuns: 500 },
    );
  });

  it('are quoted in errors with at most one line', () => {
    const reply = { what: 'get_status', status: 200, body: `<html>\n\n${'busy '.repeat(1000)}` };
    expect(() => parseObject(reply, 'result')).toThrow(/^get_status: not JSON: <html> busy .{1,150}…$/);
  });
});
