/** The part of Prometheus that is needed to compare queries with the metrics of the services. */

export interface Series {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** The series of a scrape (text format). */
export function parseScrape(text: string): Series[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      if (name === undefined) throw new Error(`not a line of a scrape: ${line}`);
      return {
        name,
        labels: Object.fromEntries(parseMatchers(labels).map(({ label, value: text }) => [label, text])),
        value: Number(value),
      };
    });
}

interface Matcher {
  label: string;
  operator: string;
  value: string;
}

function parseMatchers(text: string): Matcher[] {
  return [...text.matchAll(/(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g)].map(([, label, operator, value]) => ({ label, operator, value }));
}

export interface Query {
  selectors: { metric: string; matchers: Matcher[] }[];
  /** Names in `by`, `on` and similar clauses. */
  grouping: string[];
}

/** PromQL keywords. Functions are recognized by their parenthesis. */
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** The metrics and labels of a query. Every name that is not a function, keyword or label counts as a metric, also a misspelt one. */
export function parseQuery(text: string): Query {
  const grouping: string[] = [];
  const rest = text.replace(/\b(by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)/g, (_all, _word, labels: string) => {
    grouping.push(...labels.split(',').map((label) => label.trim()));
    return ' ';
  });
  const selectors: Query['selectors'] = [];
  for (const [, metric, matchers = ''] of rest.replace(/\[[^\]]*\]/g, '').matchAll(/([a-zA-Z_:][\w:]*)(?!\w*\s*\()\s*(?:\{([^}]*)\})?/g)) {
    if (!KEYWORDS.has(metric)) selectors.push({ metric, matchers: parseMatchers(matchers) });
  }
  return { selectors, grouping };
}

/** Labels that Prometheus adds. */
const ADDED = new Set(['instance', 'job']);

/** Names in the query that the series do not have; empty if the query can match. */
export function missingIn(query: Query, series: readonly Series[]): string[] {
  const missing: string[] = [];
  const labelsSeen = new Set<string>(ADDED);
  for (const { metric, matchers } of query.selectors) {
    if (metric === 'up') continue;
    const found = series.filter(({ name }) => name === metric);
    if (found.length === 0) missing.push(`no metric ${metric}`);
    for (const { labels } of found) for (const label of Object.keys(labels)) labelsSeen.add(label);
    for (const { label, operator, value } of matchers) {
      if (ADDED.has(label)) continue;
      if (!found.some(({ labels }) => label in labels)) missing.push(`${metric} has no label ${label}`);
      else if (operator === '=' && !found.some(({ labels }) => labels[label] === value))
        missing.push(`${metric} has no ${label}="${value}"`);
      else if (operator === '=~' && !found.some(({ labels }) => new RegExp(`^(?:${value})$`).test(labels[label] ?? '')))
        missing.push(`${metric} has no ${label} like ${value}`);
    }
  }
  for (const label of query.grouping) if (!labelsSeen.has(label)) missing.push(`nothing in it has a label ${label}`);
  return missing;
}
