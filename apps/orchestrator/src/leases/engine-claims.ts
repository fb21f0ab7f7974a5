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
}

const NONE: Claims = { count: 0, contents: new Set(), cordon: null };

/** Why each engine is in use: its leases, its streams and its cordons. */
export class EngineClaimBook {
  private readonly engines = new Map<string, EngineClaims>();
  private readonly streams = new Map<string, AssignedStream>();
  private readonly changes = new ListenerSet<readonly string[]>();

  on(engineId: string): Claims {
    const engine = this.engines.get(engineId);
    if (!engine) return NONE;
    const streams = [...engine.streams.values()];
    return {
      count: engine.leases.size + streams.filter(({ leaseId }) => leaseId === null || !engine.leases.has(leaseId)).length,
      contents: new Set([...engine.leases.values(), ...streams].flatMap(({ keys }) => keys)),
      cordon: longest(engine.cordons),
    };
  }

  streamsOn(engineId: string): string[] {
    return [...(this.engines.get(engineId)?.streams.keys() ?? [])];
  }

  /** Calls back with the ids of the engines whose streams or cordons changed, after the change. @returns unsubscribes */
  onChange(listener: (engineIds: readonly string[]) => void): () => void {
    return this.changes.subscribe(listener);
  }

  addLease(lease: LeaseClaim): void {
    this.open(lease.engineId).leases.set(lease.id, lease);
  }

  removeLease(lease: LeaseClaim): void {
    this.engines.get(lease.engineId)?.leases.delete(lease.id);
    this.tidy(lease.engineId);
  }

  /** Assigns a stream to an engine, and removes it from the engine it was on. */
  assign(stream: AssignedStream): void {
    const before = this.streams.get(stream.streamId);
    if (isDeepStrictEqual(before, stream)) return;
    if (before) this.remove(before);
    this.streams.set(stream.streamId, stream);
    this.open(stream.engineId).streams.set(stream.streamId, stream);
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
    this.open(engineId).cordons.set(owner, cordon);
  }

  uncordon(engineId: string, owner: string): void {
    if (!this.engines.get(engineId)?.cordons.delete(owner)) return;
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
    this.engines.get(engineId)?.streams.delete(streamId);
    this.tidy(engineId);
  }

  private open(engineId: string): EngineClaims {
    let engine = this.engines.get(engineId);
    if (!engine) this.engines.set(engineId, (engine = { leases: new Map(), streams: new Map(), cordons: new Map() }));
    return engine;
  }

  private tidy(engineId: string): void {
    const engine = this.engines.get(engineId);
    if (engine && engine.leases.size + engine.streams.size + engine.cordons.size === 0) this.engines.delete(engineId);
  }
}

function longest(cordons: ReadonlyMap<string, Cordon>): Cordon | null {
  const all = [...cordons.values()];
  return all.find(({ kind }) => kind === 'open') ?? all[0] ?? null;
}
