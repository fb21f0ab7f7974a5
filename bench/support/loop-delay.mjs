/**
 * Preloaded into a service under measurement (node --import): measures the delay of its event loop. On SIGUSR2 it writes p99 and maximum in milliseconds
 * since the signal before to the file LOOP_DELAY_FILE.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
process.on('SIGUSR2', () => {
  const file = process.env.LOOP_DELAY_FILE;
  // The histogram contains the time between two timers.
  writeFileSync(`${file}.part`, JSON.stringify({ p99: delay.percentile(99) / 1e6 - RESOLUTION_MS, max: delay.max / 1e6 - RESOLUTION_MS }));
  renameSync(`${file}.part`, file);
  delay.reset();
});
