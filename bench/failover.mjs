/**
 * Measures how long viewers get nothing when their engine is lost, and how much of the stream they miss. Compared with what a player does without us:
 * it requests the stream again from another ready engine.
 *
 *   npm run build && node bench/failover.mjs [--rounds 20] [--save]        (at least 2 rounds)
 *
 * Two kinds of loss take turns: the engine is killed (its connections break), and the media end in order. The gap is the longest pause between two
 * pieces that reach a viewer in the next 6 s. Without a loss it is about one chunk (250 ms), which is printed too. The simulator's marker packets, ten
 * a second, show what is lost and repeated.
 */
import { parseMarker } from '../apps/engine-simulator/dist/media/marker.js';
import { finish, p50p95p99, pause, percentile, readOptions, round } from './support/bench.mjs';
import { Engine } from './support/engine.mjs';
import { CONTROL_OFFSET, contentId, Pair, watch } from './support/pair.mjs';

const { rounds, save } = readOptions({ rounds: 20 });
const ENGINES = { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '500' };
const PACKET_SIZE = 188;
const BEFORE_MS = 4_000;
const AFTER_MS = 6_000;

const engine = await Engine.start(ENGINES);
const pair = await Pair.start({ orchestrator: { MIN_REPLICAS: '2' }, engines: ENGINES });

async function lose(content, how) {
  await pair.untilFree(2);
  const arrivals = [];
  const chunks = [];
  let ended = false;
  const viewer = await watch(pair.streamUrl(content), (chunk) => {
    arrivals.push(performance.now());
    chunks.push(chunk);
  });
  void viewer.closed.then(() => (ended = true));
  await pause(BEFORE_MS);
  const [playing] = (await pair.engines()).filter(({ streams }) => streams.length > 0);
  const lostAt = performance.now();
  const control = `http://127.0.0.1:${playing.port + CONTROL_OFFSET}/__sim`;
  // A killed engine sends no reply.
  if (how === 'killed') await fetch(`${control}/kill`, { method: 'POST' }).catch(() => null);
  else await fetch(`${control}/end`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"how":"superseded"}' });
  await pause(AFTER_MS);
  if (ended) throw new Error(`the viewer's stream ended, its engine was ${how}`);
  await viewer.leave();
  return {
    how,
    gapMs: longestPause(arrivals, lostAt),
    usualMs: longestPause(
      arrivals.filter((at) => at < lostAt),
      lostAt - BEFORE_MS / 2,
    ),
    ...missed(Buffer.concat(chunks)),
  };
}

/** Starting at `from`, in milliseconds. */
function longestPause(arrivals, from) {
  let longest = 0;
  for (let index = 1; index < arrivals.length; index += 1)
    if (arrivals[index] >= from) longest = Math.max(longest, arrivals[index] - arrivals[index - 1]);
  return longest;
}

/** Lost and repeated tenths of a second, in seconds. */
function missed(body) {
  const markers = [];
  for (let at = 0; at + PACKET_SIZE <= body.length; at += PACKET_SIZE) {
    const marker = parseMarker(body, at);
    if (marker) markers.push(marker.sequence);
  }
  const distinct = new Set(markers);
  const span = Math.max(...markers) - Math.min(...markers) + 1;
  return { missingSeconds: (span - distinct.size) / 10, repeatedSeconds: (markers.length - distinct.size) / 10 };
}

const runs = [];
const newStarts = [];
try {
  for (let index = 0; index < rounds; index += 1) {
    const run = await lose(contentId(1000 + index), index % 2 === 0 ? 'killed' : 'ended');
    runs.push(run);
    newStarts.push((await engine.timeOfStart(contentId(2000 + index), 100_000)).firstMs);
    console.log(
      `round ${index + 1}: ${run.how}, gap ${Math.round(run.gapMs)} ms, missing ${run.missingSeconds} s, repeated ${run.repeatedSeconds} s; new start ${Math.round(newStarts.at(-1))} ms`,
    );
  }
} finally {
  await pair.stop();
  await engine.stop();
}
const of = (how) => runs.filter((run) => run.how === how);
const rows = ['killed', 'ended'].flatMap((how) =>
  [0.5, 0.95].map((share) => {
    const ours = percentile(
      of(how).map(({ gapMs }) => gapMs),
      share,
    );
    const other = percentile(newStarts, share);
    return {
      what: `Failover, engine ${how}: gap, p${share * 100}`,
      ours: `${Math.round(ours)} ms`,
      other: `a new start ${Math.round(other)} ms`,
      ratio: round(ours / other, 2),
    };
  }),
);
rows.push({
  what: 'Failover: stream lost and repeated, worst round',
  ours: `${Math.max(...runs.map(({ missingSeconds }) => missingSeconds))} s, ${Math.max(...runs.map(({ repeatedSeconds }) => repeatedSeconds))} s`,
  other: `pause without any loss, p95: ${Math.round(
    percentile(
      runs.map(({ usualMs }) => usualMs),
      0.95,
    ),
  )} ms`,
});
await finish({
  benchmark: 'failover',
  parameters: { rounds },
  rows,
  details: {
    gapMs: { killed: p50p95p99(of('killed').map(({ gapMs }) => gapMs)), ended: p50p95p99(of('ended').map(({ gapMs }) => gapMs)) },
    newStartMs: p50p95p99(newStarts),
    runs,
  },
  save,
});
