/**
 * Measures how long a viewer waits when no engine runs: through proxy and orchestrator (lease, container, boot, session, first bytes), and by hand
 * (`docker run` of the same image, boot, session, first bytes). The two take turns in one run.
 *
 *   npm run image:simulator && npm run bench:cold-start -- [--rounds 8] [--boot 2000] [--save]
 *
 * The image is the engine simulator with a boot time of --boot milliseconds, for both sides. Ours starts with an empty pool (MIN_REPLICAS=0) and one
 * request to the proxy. By hand, a request every 20 ms checks whether the engine answers.
 */
import { execFileSync } from 'node:child_process';
import { finish, freePorts, percentile, readOptions, round, signed, until } from './support/bench.mjs';
import { timeOfStart, untilAnswers } from './support/engine.mjs';
import { contentId, Pair, timeOf } from './support/pair.mjs';

const { rounds, boot: bootMs, save } = readOptions({ rounds: 8, boot: 2000 });
const IMAGE = 'acestream-engine-simulator-cold-start:bench';
/** Enough bytes for a player to start. */
const ENOUGH_BYTES = 100_000;
const GOAL_MS = 300;

const docker = (...args) => execFileSync('docker', args, { encoding: 'utf8' }).trim();

/** By hand: the steps that every orchestrator needs. */
async function byHand(index) {
  const [port] = await freePorts(1);
  const environment = ['-e', `HTTP_PORT=${port}`, '-e', 'BIND_ALL=true'];
  const startedAt = performance.now();
  const id = docker('run', '-d', '--restart', 'unless-stopped', '-p', `${port}:${port}`, ...environment, IMAGE);
  try {
    const engineUrl = `http://127.0.0.1:${port}`;
    await untilAnswers(engineUrl);
    const readyMs = performance.now() - startedAt;
    return readyMs + (await timeOfStart(engineUrl, contentId(index), ENOUGH_BYTES)).enoughMs;
  } finally {
    docker('rm', '-f', id);
  }
}

async function throughThePair(index) {
  await until('an empty pool', async () => (await (await fetch(`${pair.api}/engines?state=all`)).json()).length === 0, 50);
  const { enoughMs, leave } = await timeOf(pair.streamUrl(contentId(index)), ENOUGH_BYTES);
  await leave();
  return enoughMs;
}

execFileSync('docker', ['build', '-q', '-t', IMAGE, '-'], {
  input: `FROM acestream-engine-simulator:latest\nENV SIM_BOOT_MS=${bootMs} SIM_PREBUF_MS=200\n`,
  stdio: ['pipe', 'ignore', 'inherit'],
});
const pair = await Pair.start({
  orchestrator: {
    ENGINE_RUNTIME: 'docker',
    ...(process.env.DOCKER_HOST && { DOCKER_HOST: process.env.DOCKER_HOST }),
    TARGET_IMAGE: IMAGE,
    IMAGE_PULL: 'never',
    MIN_REPLICAS: '0',
    ENGINE_GRACE_PERIOD_S: '0',
  },
});
const runs = [];
try {
  for (let index = 0; index < rounds; index += 1) {
    const run = { byHandMs: round(await byHand(2 * index), 0), pairMs: round(await throughThePair(2 * index + 1), 0) };
    runs.push(run);
    console.log(`round ${index + 1}: by hand ${run.byHandMs} ms, through the proxy ${run.pairMs} ms`);
  }
} finally {
  await pair.stop();
}

const median = (field) =>
  percentile(
    runs.map((run) => run[field]),
    0.5,
  );
const medianMs = { byHand: median('byHandMs'), pair: median('pairMs') };
const extraMs = medianMs.pair - medianMs.byHand;
await finish({
  benchmark: 'cold-start',
  file: `cold-start-boot-${bootMs}`,
  parameters: { rounds, bootMs },
  rows: [
    {
      what: `Cold start of a container, boot time ${bootMs / 1000} s, median`,
      ours: `${medianMs.pair} ms`,
      other: `docker run by hand ${medianMs.byHand} ms, difference ${signed(extraMs)} ms`,
      ratio: round(medianMs.pair / medianMs.byHand, 2),
      goal: `+${GOAL_MS} ms`,
      met: extraMs <= GOAL_MS,
    },
  ],
  details: { docker: docker('version', '-f', '{{.Server.Version}}'), runs, medianMs, extraMs },
  save,
});
