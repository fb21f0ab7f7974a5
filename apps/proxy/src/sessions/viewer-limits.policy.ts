/** Whether one more viewer may come in. */

/** 0: no limit. */
export interface ViewerLimits {
  /** Of all streams together. */
  readonly maxViewers: number;
  readonly maxViewersPerStream: number;
}

/** What has as many viewers as it may have. */
export type FullScope = 'all' | 'stream';

/** null where there is room. A stream that is not there yet has no viewers. */
export function whatIsFull(limits: ViewerLimits, viewers: Readonly<Record<FullScope, number>>): FullScope | null {
  const isFull = (count: number, limit: number): boolean => limit > 0 && count >= limit;
  if (isFull(viewers.stream, limits.maxViewersPerStream)) return 'stream';
  return isFull(viewers.all, limits.maxViewers) ? 'all' : null;
}
