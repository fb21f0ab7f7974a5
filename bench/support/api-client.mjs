/**
 * Calls an HTTP API as fast as asked, in its own process, so that the server has a core for itself. One message starts a run; the answer is one message
 * with `type: 'calls'` and the milliseconds of each call. Any other status than `status` ends the run with an error.
 *
 * A run is a closed loop (`atOnce` calls in parallel, each followed by the next), or an open loop (`perSecond`): there each call has its time,
 * whatever the server does, and its milliseconds count from that time. A server that falls behind then shows it.
 */
import http from 'node:http';
import { pause } from './bench.mjs';

function call({ url, agent, method = 'GET', headers, status }, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === status) resolve();
        else reject(new Error(`${url}: ${response.statusCode} instead of ${status}`));
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}

async function timed(run, index, times, startedAt = performance.now()) {
  await call(run, run.bodies?.[index]);
  times.push(performance.now() - startedAt);
}

async function closedLoop(run, times) {
  let next = 0;
  await Promise.all(
    Array.from({ length: run.atOnce }, async () => {
      while (next < run.count) await timed(run, next++, times);
    }),
  );
}

async function openLoop(run, times) {
  const startedAt = performance.now();
  const calls = [];
  while (calls.length < run.count) {
    const dueMs = startedAt + (calls.length / run.perSecond) * 1000;
    if (dueMs > performance.now()) await pause(1);
    else calls.push(timed(run, calls.length, times, dueMs));
  }
  await Promise.all(calls);
}

process.on('message', async (message) => {
  // A connection that is idle between two runs could be closed by the server just when the next run uses it.
  const agent = new http.Agent({ keepAlive: true });
  const run = { ...message, agent };
  const times = [];
  const startedAt = performance.now();
  await (run.perSecond ? openLoop : closedLoop)(run, times);
  const seconds = (performance.now() - startedAt) / 1000;
  agent.destroy();
  process.send({ type: 'calls', times, seconds });
});
process.once('disconnect', () => process.exit());
