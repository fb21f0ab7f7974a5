/**
 * Measures how soon a viewer that joins a playing stream can show a picture: first byte, and first keyframe with its tables.
 *
 *   npm run build && node bench/join.mjs [--joins 200] [--megabits 8] [--save]
 *
 * One viewer plays through proxy and orchestrator, and joins happen one after another at any moment. The comparison is a small response of the same
 * proxy (`/ace/status`), requested in turns with the joins: the minimum for any HTTP request at that time.
 */
import { PACKET_SIZE, pidOf, randomAccessIndicator } from '@acexy/mpegts';
import { finish, p50p95p99, pause, percentile, readOptions, round } from './support/bench.mjs';
import { contentId, Pair, timeOf, watch } from './support/pair.mjs';

const { joins, megabits, save } = readOptions({ joins: 200, megabits: 8 });
const GOAL_MS = 50;
const VIDEO_PID = 0x100;

/** Milliseconds to the first byte, and to the first keyframe behind a PAT. */
async function join(url) {
  let firstMs = null;
  let seen = Buffer.alloc(0);
  let done;
  const keyframe = new Promise((resolve) => (done = resolve));
  const viewer = await watch(url, (chunk, ms) => {
    firstMs ??= ms;
    seen = Buffer.concat([seen, chunk]);
    let tables = false;
    for (let at = 0; at + PACKET_SIZE <= seen.length; at += PACKET_SIZE) {
      const pid = pidOf(seen, at);
      if (pid === 0) tables = true;
      if (tables && pid === VIDEO_PID && randomAccessIndicator(seen, at)) return done({ firstMs, keyframeMs: ms });
    }
  });
  const times = await keyframe;
  await viewer.leave();
  return times;
}

async function floor(pair) {
  const startedAt = performance.now();
  await (await fetch(`${pair.proxy}/ace/status`, { headers: { Connection: 'close' } })).text();
  return performance.now() - startedAt;
}

const pair = await Pair.start({
  orchestrator: { MIN_REPLICAS: '1' },
  engines: { SIM_BOOT_MS: '200', SIM_PREBUF_MS: '200', SIM_BITRATE: String(megabits * 1e6) },
});
const runs = [];
try {
  await pair.untilFree(1);
  const url = pair.streamUrl(contentId(1));
  const playing = await timeOf(url, 4 * megabits * 125_000);
  for (let index = 0; index < joins; index += 1) {
    await pause(Math.random() * 100);
    runs.push({ ...(await join(url)), floorMs: await floor(pair) });
  }
  await playing.leave();
} finally {
  await pair.stop();
}
const first = runs.map(({ firstMs }) => firstMs);
const keyframe = runs.map(({ keyframeMs }) => keyframeMs);
const floors = runs.map(({ floorMs }) => floorMs);
const p95 = percentile(first, 0.95);
const rows = [
  {
    what: 'Join: first byte, p95',
    ours: `${round(p95, 1)} ms`,
    other: `any response ${round(percentile(floors, 0.95), 1)} ms`,
    ratio: round(p95 / percentile(floors, 0.95), 2),
    goal: `${GOAL_MS} ms`,
    met: p95 <= GOAL_MS,
  },
  {
    what: 'Join: first keyframe with tables, p95',
    ours: `${round(percentile(keyframe, 0.95), 1)} ms`,
    other: `any response ${round(percentile(floors, 0.95), 1)} ms`,
    ratio: round(percentile(keyframe, 0.95) / percentile(floors, 0.95), 2),
    goal: `${GOAL_MS} ms`,
    met: percentile(keyframe, 0.95) <= GOAL_MS,
  },
];
await finish({
  benchmark: 'join',
  parameters: { joins, megabits },
  rows,
  details: { firstByteMs: p50p95p99(first), keyframeMs: p50p95p99(keyframe), floorMs: p50p95p99(floors) },
  save,
});
