/** One measurement of a proxy between a source and its viewers, each in its own process. */
import { pause, round, until } from './bench.mjs';
import { clips } from './clips.mjs';
import { JsonProgram, nativeTool } from './native.mjs';
import { memoryMegabytes, processorSeconds } from './processes.mjs';

const SERVED_LIMIT_MS = 40_000;
const SERVED_POLL_MS = 250;
const SETTLE_MS = 3000;

/**
 * What a proxy costs, and what its viewers get. `startProxy` gets `sourcePort` and `streams`, and resolves with `port`, `pid`, `stop()`, and if it has
 * them `settled()` and `loopDelayMs()`. `viewers` is the number for each stream, `arrival` the bytes of one piece from the engine.
 */
export async function measureFanOut(startProxy, { streams, viewers, megabits, seconds, arrival }) {
  const running = [];
  const start = (program) => {
    running.push(program);
    return program;
  };
  try {
    const source = start(new JsonProgram(nativeTool('source'), ['-c', arrival, ...clips(megabits)]));
    const { port: sourcePort } = await source.next();
    const proxy = start(await startProxy({ sourcePort, streams }));
    const audience = start(new JsonProgram(nativeTool('viewers'), ['-p', proxy.port, '-n', streams, '-v', viewers]));
    // A proxy that cannot serve all of them is measured all the same; its slowest viewer shows it.
    const allServed = async () => (await audience.ask('report')).served === streams * viewers;
    await until('every viewer has its stream', allServed, SERVED_POLL_MS, SERVED_LIMIT_MS).catch(({ message }) => console.log(message));
    await (proxy.settled?.() ?? pause(SETTLE_MS));
    await proxy.loopDelayMs?.();
    await audience.ask('report');
    const before = processorSeconds(proxy.pid);
    await pause(seconds * 1000);
    const seen = await audience.ask('report');
    const after = processorSeconds(proxy.pid);
    const { p99, max } = (await proxy.loopDelayMs?.()) ?? {};
    const memory = memoryMegabytes(proxy.pid);
    const gigabytes = seen.bytes / 1e9;
    const user = after.user - before.user;
    const system = after.system - before.system;
    const megabitsOf = (bytes) => round((bytes * 8) / 1e6 / seen.seconds);
    return {
      gigabytes: round(gigabytes),
      cpuSeconds: round(user + system),
      userSecondsPerGigabyte: round(user / gigabytes),
      systemSecondsPerGigabyte: round(system / gigabytes),
      cores: round((user + system) / seen.seconds),
      realTime: round(megabitsOf(seen.bytes) / (streams * viewers * megabits)),
      slowestMegabits: megabitsOf(seen.slowest),
      fastestMegabits: megabitsOf(seen.fastest),
      gaps: seen.gaps,
      badSync: seen.badSync,
      closedViewers: seen.closed,
      megabytes: round(memory.now, 0),
      peakMegabytes: round(memory.peak, 0),
      ...(p99 !== undefined && { loopDelayP99Ms: round(p99, 1), loopDelayMaxMs: round(max, 1) }),
    };
  } finally {
    await Promise.all(running.map((program) => program.stop()));
  }
}
