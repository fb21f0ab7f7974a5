/**
 * Which ports an engine gets. Pure memory: a port has one owner (an engine's name) or none, whatever range it came from.
 *
 * Each range is walked round and round instead of taking its lowest free port: a port just given back still lingers in other heads
 * (a proxy's cached engine list, a kernel's TIME_WAIT, Docker's port proxy), so it is the last to be used again.
 */
import { createHash } from 'node:crypto';
import type { PortRange } from '@acexy/service-kit';
import type { EnginePorts } from '../runtime/engine-runtime.js';

/** Long enough for a foreign program to have gone or been noticed, short enough that a range is never worn down for good. */
const SET_ASIDE_MS = 60_000;

export type PortRanges = Readonly<Record<keyof EnginePorts, PortRange>>;

const KINDS = ['http', 'https', 'api', 'p2p'] as const satisfies readonly (keyof EnginePorts)[];

export class NoPortsLeftError extends Error {
  readonly code = 'no_ports_left';

  constructor(kind: keyof EnginePorts, range: PortRange) {
    super(`no ${kind} port is left between ${range.first} and ${range.last}: widen the range, or stop what else uses it`);
    this.name = 'NoPortsLeftError';
  }
}

/** A port that was asked for by number belongs to another engine or container. */
export class PortOwnedError extends Error {
  readonly code = 'port_owned';

  constructor(
    readonly port: number,
    readonly owner: string,
  ) {
    super(`port ${port} belongs to ${owner}`);
    this.name = 'PortOwnedError';
  }
}

/**
 * Where an installation begins its walk. An engine listens only when it has booted, so until then no look at the host shows that its port is
 * chosen: two installations on one host that began at the same port would give it to an engine each.
 */
export function walkStart(installationId: string): number {
  return createHash('sha256').update(installationId).digest().readUInt32BE(0);
}

export class PortAllocator {
  private readonly owners = new Map<number, string>();
  private readonly owned = new Map<string, number[]>();
  /** Owners that are no engines. */
  private readonly others = new Set<string>();
  /** Port → when it may be tried again, in the caller's milliseconds. */
  private readonly asideUntil = new Map<number, number>();
  /** Where each range is looked at next; by kind and first port. */
  private readonly cursors = new Map<string, number>();

  /** `start` is how far into each range its walk begins, counted round and round. */
  constructor(
    private readonly ranges: PortRanges,
    private readonly start = 0,
  ) {}

  /**
   * Four ports for `owner`, the wanted ones among them; all or none. `own` has ranges that take the place of the usual ones.
   * @throws NoPortsLeftError or PortOwnedError
   */
  allocate(owner: string, nowMs: number, wanted: Partial<EnginePorts> = {}, own: Partial<PortRanges> = {}): EnginePorts {
    if (this.owned.has(owner)) throw new TypeError(`${owner} has ports already`);
    const taken: number[] = [];
    this.owned.set(owner, taken);
    try {
      // The wanted ones first, so that none of them is handed out as a free one of another kind.
      const ports: Partial<EnginePorts> = {};
      for (const kind of KINDS) if (wanted[kind] !== undefined) ports[kind] = this.own(wanted[kind], owner, taken);
      for (const kind of KINDS) ports[kind] ??= this.own(this.nextFree(kind, own[kind] ?? this.ranges[kind], nowMs), owner, taken);
      return ports as EnginePorts;
    } catch (error) {
      this.release(owner);
      throw error;
    }
  }

  /**
   * Keeps these ports of the host from all engines, for an owner that is none.
   * @throws PortOwnedError where one of them belongs to another owner; then it has none of them
   */
  reserve(owner: string, ports: Iterable<number>): void {
    if (this.owned.has(owner)) throw new TypeError(`${owner} has ports already`);
    const taken: number[] = [];
    this.owned.set(owner, taken);
    this.others.add(owner);
    try {
      for (const port of new Set(ports)) this.own(port, owner, taken);
    } catch (error) {
      this.release(owner);
      throw error;
    }
  }

  /** Records the ports of an engine that runs already; says which of them had another owner, who keeps them. */
  adopt(owner: string, ports: EnginePorts): { port: number; owner: string }[] {
    this.release(owner);
    const taken: number[] = [];
    const conflicts: { port: number; owner: string }[] = [];
    this.owned.set(owner, taken);
    for (const kind of KINDS) {
      const other = this.owners.get(ports[kind]);
      if (other === undefined) this.own(ports[kind], owner, taken);
      else if (other !== owner) conflicts.push({ port: ports[kind], owner: other });
    }
    return conflicts;
  }

  /** Gives back all that `owner` has; nothing happens when it has none. */
  release(owner: string): void {
    for (const port of this.owned.get(owner) ?? []) this.owners.delete(port);
    this.owned.delete(owner);
    this.others.delete(owner);
  }

  /** A port that a foreign program holds is not tried again for a while. */
  setAside(port: number, nowMs: number): void {
    this.asideUntil.set(port, nowMs + SET_ASIDE_MS);
  }

  has(owner: string): boolean {
    return this.owned.has(owner);
  }

  /** How many engines own ports. */
  get engineCount(): number {
    return this.owned.size - this.others.size;
  }

  /** Who has this port, or undefined. */
  ownerOf(port: number): string | undefined {
    return this.owners.get(port);
  }

  /** How many ports have an owner. */
  get ownedPortCount(): number {
    return this.owners.size;
  }

  private own(port: number, owner: string, taken: number[]): number {
    const other = this.owners.get(port);
    if (other !== undefined) throw new PortOwnedError(port, other);
    this.owners.set(port, owner);
    taken.push(port);
    return port;
  }

  private nextFree(kind: keyof EnginePorts, range: PortRange, nowMs: number): number {
    const size = range.last - range.first + 1;
    const walk = `${kind} ${range.first}`;
    const cursor = this.cursors.get(walk) ?? range.first + (this.start % size);
    for (let step = 0; step < size; step += 1) {
      const port = range.first + ((cursor - range.first + step) % size);
      if (this.owners.has(port) || this.isAside(port, nowMs)) continue;
      this.cursors.set(walk, port === range.last ? range.first : port + 1);
      return port;
    }
    throw new NoPortsLeftError(kind, range);
  }

  private isAside(port: number, nowMs: number): boolean {
    const until = this.asideUntil.get(port);
    if (until === undefined) return false;
    if (nowMs < until) return true;
    this.asideUntil.delete(port);
    return false;
  }
}
