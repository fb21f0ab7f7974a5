import { expect, it } from 'vitest';
import { Scrape } from './scrape.js';

const TEXT = `# HELP a_total what
a_total{kind="x",way="in"} 2
a_total{kind="x",way="out"} 3
a_total{kind="y"} 5
plain 1.5
t_seconds_bucket{le="0.1",to="e"} 90
t_seconds_bucket{le="1",to="e"} 99
t_seconds_bucket{le="+Inf",to="e"} 100
t_seconds_sum{to="e"} 20
t_seconds_count{to="e"} 100
build_info{version="1.2.3"} 1
this is no line of it
`;

it('answers sums by name and labels, means and quantiles, and null where there is nothing', () => {
  const scrape = Scrape.parse(TEXT);
  expect(scrape.sum('a_total')).toBe(10);
  expect(scrape.sum('a_total', { kind: 'x' })).toBe(5);
  expect(scrape.sum('plain')).toBe(1.5);
  expect(scrape.sum('a_total', { kind: 'z' })).toBeNull();
  expect(scrape.label('build_info', 'version')).toBe('1.2.3');
  expect(scrape.mean('t_seconds')).toBe(0.2);
  expect([0.5, 0.95, 0.999].map((quantile) => scrape.quantile('t_seconds', quantile))).toEqual([0.1, 1, Infinity]);
  expect([scrape.mean('u_seconds'), scrape.quantile('u_seconds', 0.5)]).toEqual([null, null]);
});
