import { describe, expect, it } from 'vitest';
import { missingIn, parseQuery, parseScrape } from './prometheus.js';

const SERIES = parseScrape('# HELP a_total x\na_total{kind="one",text="say \\"hi\\""} 3\nb_bucket{le="0.5"} 1\nc 2.5e-3\n');

describe('the names in a query are compared with a scrape', () => {
  it.each([
    'rate(a_total{kind="one"}[5m]) > 0 and on (kind) sum by (kind) (a_total) or c',
    'histogram_quantile(0.95, sum by (le, instance) (rate(b_bucket[$__rate_interval])))',
    'c{instance=~"$instance"} * 100 > bool 3',
    'up{job="x"} == 0',
  ])('%s: all names exist', (query) => {
    expect(missingIn(parseQuery(query), SERIES)).toEqual([]);
  });

  it.each([
    ['rate(a_totl[5m])', 'no metric a_totl'],
    ['a_total{sort="one"}', 'a_total has no label sort'],
    ['a_total{kind="two"}', 'a_total has no kind="two"'],
    ['a_total{kind=~"t.*"}', 'a_total has no kind like t.*'],
    ['sum by (size) (c)', 'nothing in it has a label size'],
  ])('%s: %s', (query, missing) => {
    expect(missingIn(parseQuery(query), SERIES)).toEqual([missing]);
  });
});
