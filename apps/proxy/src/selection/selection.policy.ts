/**
 * Which engine of a list plays a stream, where no orchestrator leases them: healthy first, then the one with the fewest streams, then those
 * whose VPN forwards a port, then the longest unused. Equal ones are ordered by a hash of proxy and engine, so that two proxies seldom meet.
 */
import { createHash } from 'node:crypto';
import type { EngineState } from '@acexy/contracts';

export interface SelectionContext {
  proxyId: string;
  maxStreamsPerEngine: number;
  /** Engines that failed this stream. */
  exclude: ReadonlySet<string>;
  /** Our own streams on an engine, whether the list knows of them yet or not. */
  ownStreams(engineId: string): number;
  /** Whether a stream that the list names is, or lately was, one of ours. */
  isOurs(streamId: string): boolean;
  /** Whether the engine already has this content from us: a second session of it would kill the first. */
  hasContent(engineId: string): boolean;
}

export interface Considered {
  containerId: string;
  verdict: 'chosen' | 'good' | 'excluded' | 'unhealthy' | 'full' | 'has the content';
}

export interface Selection {
  engine: EngineState | null;
  considered: Considered[];
}

export function selectEngine(engines: readonly EngineState[], context: SelectionContext): Selection {
  const judged = engines.map((engine) => ({ engine, streams: streamsOn(engine, context), verdict: judge(engine, context) }));
  const good = judged.filter(({ verdict }) => verdict === 'good').sort((a, b) => compare(a, b, context.proxyId));
  const engine = good.at(0)?.engine ?? null;
  const considered = judged.map(({ engine: one, verdict }): Considered => ({
    containerId: one.container_id,
    verdict: one === engine ? 'chosen' : verdict,
  }));
  return { engine, considered };
}

function judge(engine: EngineState, context: SelectionContext): Considered['verdict'] {
  const { container_id: id } = engine;
  if (context.exclude.has(id)) return 'excluded';
  // Also what drains: it is shown as unhealthy so that clients leave it alone.
  if (engine.health_status === 'unhealthy') return 'unhealthy';
  if (context.hasContent(id)) return 'has the content';
  return streamsOn(engine, context) >= context.maxStreamsPerEngine ? 'full' : 'good';
}

function streamsOn(engine: EngineState, context: SelectionContext): number {
  return context.ownStreams(engine.container_id) + engine.streams.filter((id) => !context.isOurs(id)).length;
}

type Judged = { engine: EngineState; streams: number };

function compare(a: Judged, b: Judged, proxyId: string): number {
  return (
    rank(a.engine.health_status === 'healthy') - rank(b.engine.health_status === 'healthy') ||
    a.streams - b.streams ||
    rank(a.engine.forwarded) - rank(b.engine.forwarded) ||
    lastUse(a.engine) - lastUse(b.engine) ||
    (tie(proxyId, a.engine) < tie(proxyId, b.engine) ? -1 : 1)
  );
}

function rank(first: boolean): number {
  return first ? 0 : 1;
}

/** Milliseconds since the epoch; never used is the longest unused. */
function lastUse(engine: EngineState): number {
  const at = engine.last_stream_usage === null ? NaN : Date.parse(engine.last_stream_usage);
  return Number.isNaN(at) ? 0 : at;
}

function tie(proxyId: string, engine: EngineState): string {
  return createHash('sha256').update(`${proxyId} ${engine.container_id}`).digest('hex');
}
