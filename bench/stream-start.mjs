/**
 * Measures what proxy and orchestrator add to the start of a stream on a ready engine (lease, session, first keyframe), compared with asking such an
 * engine directly.
 *
 *   npm run build && node bench/stream-start.mjs [--rounds 60] [--save]
 *
 * The two take turns in one run, each time with a content that is not playing. The simulated engines need 500 ms until they have a stream.
 */
import { finish, p50p95p99, percentile, readOptions, round, signed } from './support/bench.mjs';
import { Engine } from './support/engine.mjs';
import { contentId, Pair, timeOf } from './support/pair.mjs';

const { rounds, save } = readOptions({ rounds: 60 });
const GOAL_MS = 100;
/** Enough bytes for a player to start. */
const ENOUGH_BYTES = 100_000;
const ENGINES = { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '500' };

const engine = await Engine.start(ENGINES);
const pair = await Pair.start({ orchestrator: { MIN_REPLICAS: '3' }, engines: ENGINES });
const direct = [];
const through = [];
try {
  for (let index = 0; index < rounds; index += 1) {
    await pair.untilFree(3);
    direct.push(await engine.timeOfStart(contentId(2 * index), ENOUGH_BYTES));
    const { leave, ...times } = await timeOf(pair.streamUrl(contentId(2 * index + 1)), ENOUGH_BYTES);
    await leave();
    through.push(times);
  }
} finally {
  await pair.stop();
  await engine.stop();
}
const rows = [
  ['first byte', 'firstMs'],
  ['100 kB', 'enoughMs'],
].flatMap(([what, field]) =>
  [0.5, 0.95].map((share) => {
    const ours = percentile(
      through.map((times) => times[field]),
      share,
    );
    const other = percentile(
      direct.map((times) => times[field]),
      share,
    );
    const goal = field === 'firstMs' && share === 0.95 && { goal: `+${GOAL_MS} ms`, met: ours - other <= GOAL_MS };
    return {
      what: `Start of a stream, ${what}, p${share * 100}`,
      ours: `${round(ours)} ms`.replace(/\.\d+/, ''),
      other: `engine alone ${Math.round(other)} ms, difference ${signed(Math.round(ours - other))} ms`,
      ratio: round(ours / other, 2),
      ...goal,
    };
  }),
);
await finish({
  benchmark: 'stream-start',
  parameters: { rounds },
  rows,
  details: { directMs: p50p95p99(direct.map(({ firstMs }) => firstMs)), throughMs: p50p95p99(through.map(({ firstMs }) => firstMs)) },
  save,
});
