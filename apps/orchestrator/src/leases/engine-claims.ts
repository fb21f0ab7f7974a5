import { ListenerSet } from '@acexy/service-kit/primitives';
import { isDeepStrictEqual } from 'node:util';

/** A stream on an engine, with the lease it came from, if any. */
export interface AssignedStream {
  streamId: string;
  engineId: string;
  /** Content keys. */
  keys: readonly string[];
  leaseId: string | null;
}

export interface LeaseClaim {
  id: string;
  engineId: string;
  keys: readonly string[];
}

/** `brief`: ends within seconds, so the engine counts as available soon. `open`: its end is unknown. */
export type CordonKind = 'brief' | 'open';

/** Keeps an engine out of selection and removal. */
export interface Cordon {
  kind: CordonKind;
  reason: string;
}

export interface Claims {
  /** Leases and streams; a stream and the lease it came from count once. */
  count: number;
  /** Content keys of all leases and streams. */
  contents: ReadonlySet<string>;
  cordon: Cordon | null;
}

interface EngineClaims {
  leases: Map<string, LeaseClaim>;
  streams: Map<string, AssignedStream>;
  /** By owner. */
  cordons: Map<string, Cordon>;
  /** What `on` answers; null after a change. Loops ask for every engine, and few engines change in between. */
  summary: Claims | null;
}

const NONE: Claims = { count: 0, contents: new Set(), cordon: null };

/** Why each engine is in use: its leases, its streams and its cordons. */
export class EngineClaimBook {
  private readonly engines = new Map<string, EngineClaims>();
  private readonly streams = new Map<string, AssignedStream>();
  private readonly changes = new ListenerSet<readonly string[]>();

  on(engineId: string): Claims {
    const engine = this.engines.get(engineId);
    return engine ? (engine.summary ??= summaryOf(engine)) : NONE;
  }

  /** Whether the engine has a lease or a stream. */
  isInUse(engineId: string): boolean {
    const engine = this.engines.get(engineId);
    return engine !== undefined && engine.leases.size + engine.streams.size > 0;
  }

  streamsOn(engineId: string): string[] {
    return [...(this.engines.get(engineId)?.streams.keys() ?? [])];
  }

  /** Calls back with the ids of the engines whose streams or cordons changed, after the change. @returns unsubscribes */
  onChange(listener: (engineIds: readonly string[]) => void): () => void {
    return this.changes.subscribe(listener);
  }

  addLease(lease: LeaseClaim): void {
    this.change(lease.engineId).leases.set(lease.id, lease);
  }

  removeLease(lease: LeaseClaim): void {
    this.change(lease.engineId).leases.delete(lease.id);
    this.tidy(lease.engineId);
  }

  /** Assigns a stream to an engine, and removes it from the engine it was on. */
  assign(stream: AssignedStream): void {
    const before = this.streams.get(stream.streamId);
    if (isDeepStrictEqual(before, stream)) return;
    if (before) this.remove(before);
    this.streams.set(stream.streamId, stream);
    this.change(stream.engineId).streams.set(stream.streamId, stream);
    this.changes.emit(before && before.engineId !== stream.engineId ? [before.engineId, stream.engineId] : [stream.engineId]);
  }

  unassign(streamId: string): void {
    const stream = this.streams.get(streamId);
    if (!stream) return;
    this.remove(stream);
    this.changes.emit([stream.engineId]);
  }

  /** The cordon lasts until `uncordon` with the same owner. */
  cordon(engineId: string, owner: string, cordon: Cordon): void {
    this.change(engineId).cordons.set(owner, cordon);
  }

  uncordon(engineId: string, owner: string): void {
    if (!this.engines.get(engineId)?.cordons.has(owner)) return;
    this.change(engineId).cordons.delete(owner);
    this.tidy(engineId);
    this.changes.emit([engineId]);
  }

  /** The engine is gone, with everything on it. */
  forget(engineId: string): void {
    for (const streamId of this.streamsOn(engineId)) this.streams.delete(streamId);
    this.engines.delete(engineId);
  }

  private remove({ streamId, engineId }: AssignedStream): void {
    this.streams.delete(streamId);
    this.change(engineId).streams.delete(streamId);
    this.tidy(engineId);
  }

  /** The claims on the engine, for a change. */
  private change(engineId: string): EngineClaims {
    const engine = this.engines.get(engineId) ?? { leases: new Map(), streams: new Map(), cordons: new Map(), summary: null };
    engine.summary = null;
    this.engines.set(engineId, engine);
    return engine;
  }

  private tidy(engineId: string): void {
    const engine = this.engines.get(engineId);
    if (engine && engine.leases.size + engine.streams.size + engine.cordons.size === 0) this.engines.delete(engineId);
  }
}

function summaryOf({ leases, streams, cordons }: EngineClaims): Claims {
  const contents = new Set<string>();
  for (const { keys } of leases.values()) for (const key of keys) contents.add(key);
  let count = leases.size;
  for (const { keys, leaseId } of streams.values()) {
    for (const key of keys) contents.add(key);
    if (leaseId === null || !leases.has(leaseId)) count += 1;
  }
  return { count, contents, cordon: longest(cordons) };
}

function longest(cordons: ReadonlyMap<string, Cordon>): Cordon | null {
  const all = [...cordons.values()];
  return all.find(({ kind }) => kind === 'open') ?? all[0] ?? null;
}
