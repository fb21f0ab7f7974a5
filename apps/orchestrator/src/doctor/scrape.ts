type Labels = Readonly<Record<string, string>>;

interface Sample {
  name: string;
  labels: Labels;
  value: number;
}

/** The metrics of a service at one moment, read from `/metrics`. */
export class Scrape {
  private constructor(private readonly samples: readonly Sample[]) {}

  /** Parses the Prometheus text format. Other lines are ignored. */
  static parse(text: string): Scrape {
    const samples: Sample[] = [];
    for (const line of text.split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
      if (!match) continue;
      const labels: Record<string, string> = {};
      for (const [, label, value] of (match[2] ?? '').matchAll(/(?:^|,)(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[label] = value;
      samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
    return new Scrape(samples);
  }

  /** Sum of all series with this name and these labels; null if there are none. */
  sum(name: string, labels: Labels = {}): number | null {
    const found = this.find(name, labels);
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** Value of a label in the first series with this name. */
  label(name: string, label: string): string | null {
    return this.find(name, {})[0]?.labels[label] ?? null;
  }

  /** Mean of a histogram since the service started; null without observations. */
  mean(name: string, labels: Labels = {}): number | null {
    const count = this.sum(`${name}_count`, labels);
    return count ? (this.sum(`${name}_sum`, labels) ?? 0) / count : null;
  }

  /**
   * Upper bound of the bucket that contains this quantile of a histogram, since the service started. Infinity above the last bucket; null without
   * observations.
   */
  quantile(name: string, quantile: number, labels: Labels = {}): number | null {
    const count = this.sum(`${name}_count`, labels);
    if (!count) return null;
    const buckets = new Map<number, number>();
    for (const { labels: own, value } of this.find(`${name}_bucket`, labels)) {
      const bound = own.le === '+Inf' ? Infinity : Number(own.le);
      buckets.set(bound, (buckets.get(bound) ?? 0) + value);
    }
    const ordered = [...buckets].sort(([a], [b]) => a - b);
    return ordered.find(([, reached]) => reached >= quantile * count)?.[0] ?? null;
  }

  private find(name: string, labels: Labels): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter((sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value));
  }
}
