/**
 * Adds the last log lines of the services to the message of a failing test. In CI this is the only information about the failure.
 * Setup file of the end-to-end tests.
 */
import { afterEach } from 'vitest';
import { ServiceProcess } from './service-process.js';

const LINES = 14;
const LINE_LENGTH = 260;

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  const [error] = task.result.errors ?? [];
  if (!error) return;
  const logs = [...ServiceProcess.running].map(({ name, log }) => `--- last log lines of ${name}\n${lastLines(log)}`).join('\n');
  if (logs) error.stack = `${error.stack ?? error.message}\n${logs}`;
});

/** The last lines above level DEBUG, each cut to a readable length. */
function lastLines(log: string): string {
  const lines = log.split('\n').filter((line) => line && !line.includes('"level":"DEBUG"'));
  return lines
    .slice(-LINES)
    .map((line) => line.slice(0, LINE_LENGTH))
    .join('\n');
}
