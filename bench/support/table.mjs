/** The benchmarks in the order of the table, and the table. */

/** `result` is the name of the stored result. `npm run bench` runs those that need no Docker, with options that let it end within 20 minutes. */
export const BENCHMARKS = [
  { file: 'fan-out.mjs', options: [], result: 'fan-out-1x400-8' },
  { file: 'fan-out.mjs', options: ['--streams', '100', '--viewers', '4'], result: 'fan-out-100x4-8' },
  {
    file: 'fan-out.mjs',
    options: ['--streams', '100', '--viewers', '4', '--megabits', '3.5', '--seconds', '12'],
    result: 'fan-out-100x4-3.5',
  },
  { file: 'fan-out.mjs', options: ['--viewers', '2000', '--seconds', '10'], result: 'fan-out-1x2000-8' },
  { file: 'workers.mjs', options: ['--seconds', '10'], result: 'workers' },
  { file: 'stalled-viewers.mjs', options: ['--rounds', '3'], result: 'stalled-viewers' },
  { file: 'join.mjs', options: [], result: 'join' },
  { file: 'stream-start.mjs', options: ['--rounds', '30'], result: 'stream-start' },
  { file: 'failover.mjs', options: ['--rounds', '10'], result: 'failover' },
  { file: 'cold-start.mjs', options: [], result: 'cold-start-boot-2000', needsDocker: true },
  { file: 'orchestrator.mjs', options: ['--rounds', '3'], result: 'orchestrator' },
  { file: 'start-many.mjs', options: [], result: 'start-many' },
  { file: 'start-up.mjs', options: ['--seconds', '30'], result: 'start-up' },
];

const HEAD = ['What', 'Ours', 'acexy', 'Against', 'Ratio', 'Goal', ''];

const verdict = ({ met }) => (met === undefined ? '' : met ? 'met' : '**missed**');

/** A Markdown table of rows; see `finish` for their fields. */
export function tableOf(rows) {
  const cells = (row) => [row.what, row.ours, row.acexy ?? '', row.other ?? '', row.ratio ?? '', row.goal ?? '', verdict(row)];
  return [HEAD, HEAD.map(() => '-'), ...rows.map(cells)].map((line) => `| ${line.join(' | ')} |`).join('\n');
}
