import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError } from './errors.js';
import { findCommandUrl, parseEnvelope, parseObject, parsePlayback, parseStat, type RawReply } from './replies.js';

const address = { host: '127.0.0.1', port: 6878 };

/** Arbitrary replies, and replies with valid names and arbitrary values. */
const replies = fc
  .oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(
        fc.constantFrom('playback_url', 'stat_url', 'command_url', 'playback_session_id', 'infohash', 'is_live', 'peers'),
        fc.jsonValue(),
      )
      .chain((inner) =>
        fc.constantFrom({ response: inner }, { result: inner }, { response: null, error: inner }, { result: inner, error: '' }),
      )
      .map((reply) => JSON.stringify(reply)),
  )
  .chain((body) => fc.constantFrom(200, 404, 500).map((status): RawReply => ({ what: 'a call', status, body })));

describe('the replies of an engine', () => {
  it('are parsed or cause a typed error, whatever they contain', () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const readings = [
          () => parseEnvelope(reply, 'response'),
          () => parseObject(reply, 'result'),
          () => parseStat(reply),
          () => parsePlayback(reply, 'ts', address),
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
