/** A stream on an engine; with the lease it came from, if any. */
export interface Occupant {
  streamId: string;
  engineId: string;
  keys: readonly string[];
  leaseId: string | null;
}

export interface LeaseClaim {
  id: string;
  engineId: string;
  keys: readonly string[];
}

/** `brief`: over within seconds, the engine counts as coming. `open`: nobody knows how long. */
export type HoldKind = 'brief' | 'open';

export interface Hold {
  kind: HoldKind;
  reason: string;
}

export interface Claims {
  /** A stream and the lease it came from count once. */
  count: number;
  contents: ReadonlySet<string>;
  held: Hold | null;
}

interface EngineClaims {
  leases: Map<string, LeaseClaim>;
  occupants: Map<string, Occupant>;
  holds: Map<string, Hold>;
}

const NONE: Claims = { count: 0, contents: new Set(), held: null };

/** What plays on each engine or has the right to: leases, streams, and holds that keep an engine back for another reason. */
export class EngineClaimBook {
  private readonly engines = new Map<string, EngineClaims>();
  private readonly occupants = new Map<string, Occupant>();
  private generation = 0;

  /** Grows with every change of what `streamsOn` answers. */
  get occupancy(): number {
    return this.generation;
  }

  on(engineId: string): Claims {
    const engine = this.engines.get(engineId);
    if (!engine) return NONE;
    const contents = new Set<string>();
    for (const { keys } of engine.leases.values()) keys.forEach((key) => contents.add(key));
    let count = engine.leases.size;
    for (const { keys, leaseId } of engine.occupants.values()) {
      keys.forEach((key) => contents.add(key));
      if (leaseId === null || !engine.leases.has(leaseId)) count++;
    }
    return { count, contents, held: longest(engine.holds) };
  }

  streamsOn(engineId: string): string[] {
    return [...(this.engines.get(engineId)?.occupants.keys() ?? [])];
  }

  addLease(lease: LeaseClaim): void {
    this.open(lease.engineId).leases.set(lease.id, lease);
  }

  removeLease(lease: LeaseClaim): void {
    this.engines.get(lease.engineId)?.leases.delete(lease.id);
    this.tidy(lease.engineId);
  }

  /** Puts a stream on an engine, and takes it off the one it was on. @returns whether anything changed */
  occupy(occupant: Occupant): boolean {
    const before = this.occupants.get(occupant.streamId);
    if (before && sameOccupant(before, occupant)) return false;
    this.vacate(occupant.streamId);
    this.generation++;
    this.occupants.set(occupant.streamId, occupant);
    this.open(occupant.engineId).occupants.set(occupant.streamId, occupant);
    return true;
  }

  engineOf(streamId: string): string | null {
    return this.occupants.get(streamId)?.engineId ?? null;
  }

  /** @returns the engine it was on, or null */
  vacate(streamId: string): string | null {
    const occupant = this.occupants.get(streamId);
    if (!occupant) return null;
    this.occupants.delete(streamId);
    this.generation++;
    this.engines.get(occupant.engineId)?.occupants.delete(streamId);
    this.tidy(occupant.engineId);
    return occupant.engineId;
  }

  /** Keeps an engine back until the owner of the hold lifts it. */
  hold(engineId: string, owner: string, hold: Hold): void {
    this.open(engineId).holds.set(owner, hold);
  }

  lift(engineId: string, owner: string): boolean {
    const lifted = this.engines.get(engineId)?.holds.delete(owner) ?? false;
    this.tidy(engineId);
    return lifted;
  }

  /** The engine is gone, and whatever was on it. */
  forget(engineId: string): void {
    for (const streamId of this.engines.get(engineId)?.occupants.keys() ?? []) this.occupants.delete(streamId);
    this.engines.delete(engineId);
    this.generation++;
  }

  private open(engineId: string): EngineClaims {
    let engine = this.engines.get(engineId);
    if (!engine) this.engines.set(engineId, (engine = { leases: new Map(), occupants: new Map(), holds: new Map() }));
    return engine;
  }

  private tidy(engineId: string): void {
    const engine = this.engines.get(engineId);
    if (engine && engine.leases.size + engine.occupants.size + engine.holds.size === 0) this.engines.delete(engineId);
  }
}

function longest(holds: ReadonlyMap<string, Hold>): Hold | null {
  const all = [...holds.values()];
  return all.find((hold) => hold.kind === 'open') ?? all[0] ?? null;
}

function sameOccupant(a: Occupant, b: Occupant): boolean {
  return (
    a.engineId === b.engineId && a.leaseId === b.leaseId && a.keys.length === b.keys.length && a.keys.every((key, i) => key === b.keys[i])
  );
}
