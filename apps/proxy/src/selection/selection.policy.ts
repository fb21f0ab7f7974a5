/**
 * Which engine of a list plays a stream when no orchestrator leases engines: healthy first, then the fewest streams, then a forwarded VPN port, then the
 * longest unused. A hash of proxy and engine orders equal engines, so that two proxies rarely choose the same one.
 */
import { createHash } from 'node:crypto';
import type { EngineState } from '@acexy/contracts';

export interface SelectionContext {
  proxyId: string;
  maxStreamsPerEngine: number;
  /** Engines that failed this stream. */
  exclude: ReadonlySet<string>;
  /** Own streams on an engine, including those that the list does not show yet. */
  ownStreams(engineId: string): number;
  /** Whether a stream in the list is an own one, or was until recently. */
  isOurs(streamId: string): boolean;
  /** Whether this proxy already plays the content there: a second session would end the first. */
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
  // Draining engines, too, are shown as unhealthy.
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

/** Milliseconds since the epoch; 0: never used. */
function lastUse(engine: EngineState): number {
  const at = Date.parse(engine.last_stream_usage ?? '');
  return Number.isNaN(at) ? 0 : at;
}

function tie(proxyId: string, engine: EngineState): string {
  return createHash('sha256').update(`${proxyId} ${engine.container_id}`).digest('hex');
}
