/**
 * Which ports an engine gets. A port has at most one owner: the name of an engine or container.
 *
 * Each range is used round-robin, so that a released port is reused last: a proxy's cached engine list, TIME_WAIT in the kernel or Docker's port
 * proxy may still refer to it.
 */
import { createHash } from 'node:crypto';
import type { PortRange } from '@acexy/service-kit';
import { CodedError } from '@acexy/service-kit/primitives';
import type { EnginePorts } from '../runtime/engine-runtime.js';

/** Long enough for another program to exit or be noticed, short enough to keep the range usable. */
const SET_ASIDE_MS = 60_000;

export type PortRanges = Readonly<Record<keyof EnginePorts, PortRange>>;

const KINDS = ['http', 'https', 'api', 'p2p'] as const satisfies readonly (keyof EnginePorts)[];

export class NoPortsLeftError extends CodedError {
  readonly code = 'no_ports_left';

  constructor(kind: keyof EnginePorts, range: PortRange) {
    super(
      `no free ${kind} port from ${range.first} to ${range.last}: extend this range of ports in the settings, or stop other programs that use it`,
    );
  }
}

/** A requested port belongs to another engine or container. */
export class PortOwnedError extends CodedError {
  readonly code = 'port_owned';

  constructor(port: number, owner: string) {
    super(`port ${port} belongs to ${owner}`);
  }
}

/**
 * Position in each range at which an installation begins. An engine listens only after its boot, so another installation on the same host sees
 * too late that a port is in use. With different positions they rarely choose the same port.
 */
export function firstOffset(installationId: string): number {
  return createHash('sha256').update(installationId).digest().readUInt32BE(0);
}

export class PortAllocator {
  private readonly owners = new Map<number, string>();
  private readonly owned = new Map<string, number[]>();
  /** Owners that are containers, not engines. */
  private readonly containers = new Set<string>();
  /** Port → when it may be tried again, in the caller's milliseconds. */
  private readonly asideUntil = new Map<number, number>();
  /** Next port to try, by kind and first port of the range. */
  private readonly cursors = new Map<string, number>();

  /** @param offset first position in each range, modulo its size */
  constructor(
    private readonly ranges: PortRanges,
    private readonly offset = 0,
  ) {}

  /**
   * Allocates all four ports for an engine, or none.
   * @param requested ports that must be used
   * @param ranges replace the configured ranges
   * @throws NoPortsLeftError or PortOwnedError
   */
  allocate(owner: string, nowMs: number, requested: Partial<EnginePorts> = {}, ranges: Partial<PortRanges> = {}): EnginePorts {
    return this.allOrNone(owner, () => {
      // Requested ports first, or one of them could be allocated as a free port of another kind.
      const ports: Partial<EnginePorts> = {};
      for (const kind of KINDS) if (requested[kind] !== undefined) ports[kind] = this.take(requested[kind], owner);
      for (const kind of KINDS) ports[kind] ??= this.take(this.nextFree(kind, ranges[kind] ?? this.ranges[kind], nowMs), owner);
      return ports as EnginePorts;
    });
  }

  /**
   * Reserves all these host ports for a container, or none.
   * @throws PortOwnedError
   */
  reserve(owner: string, ports: Iterable<number>): void {
    this.allOrNone(owner, () => {
      for (const port of new Set(ports)) this.take(port, owner);
    });
    this.containers.add(owner);
  }

  /** Records the ports of a running engine. @returns the ports that already have another owner; the other owner keeps them */
  adopt(owner: string, ports: EnginePorts): { port: number; owner: string }[] {
    this.release(owner);
    this.owned.set(owner, []);
    const conflicts: { port: number; owner: string }[] = [];
    for (const kind of KINDS) {
      const other = this.owners.get(ports[kind]);
      if (other === undefined) this.take(ports[kind], owner);
      else if (other !== owner) conflicts.push({ port: ports[kind], owner: other });
    }
    return conflicts;
  }

  /** Releases all ports of `owner`; an unknown owner is no error. */
  release(owner: string): void {
    for (const port of this.owned.get(owner) ?? []) this.owners.delete(port);
    this.owned.delete(owner);
    this.containers.delete(owner);
  }

  /** Does not allocate this port for a while, because another program uses it. */
  setAside(port: number, nowMs: number): void {
    this.asideUntil.set(port, nowMs + SET_ASIDE_MS);
  }

  /** The range that has no free port now; null if an engine can get all its ports. */
  shortage(nowMs: number): NoPortsLeftError | null {
    const kind = KINDS.find((each) => this.firstFree(each, this.ranges[each], nowMs) === null);
    return kind === undefined ? null : new NoPortsLeftError(kind, this.ranges[kind]);
  }

  has(owner: string): boolean {
    return this.owned.has(owner);
  }

  /** Number of engines that own ports. */
  get engineCount(): number {
    return this.owned.size - this.containers.size;
  }

  ownerOf(port: number): string | undefined {
    return this.owners.get(port);
  }

  private allOrNone<T>(owner: string, take: () => T): T {
    if (this.owned.has(owner)) throw new TypeError(`${owner} already has ports`);
    this.owned.set(owner, []);
    try {
      return take();
    } catch (error) {
      this.release(owner);
      throw error;
    }
  }

  private take(port: number, owner: string): number {
    const other = this.owners.get(port);
    if (other !== undefined) throw new PortOwnedError(port, other);
    this.owners.set(port, owner);
    this.owned.get(owner)?.push(port);
    return port;
  }

  private nextFree(kind: keyof EnginePorts, range: PortRange, nowMs: number): number {
    const port = this.firstFree(kind, range, nowMs);
    if (port === null) throw new NoPortsLeftError(kind, range);
    this.asideUntil.delete(port);
    this.cursors.set(cursorKey(kind, range), port === range.last ? range.first : port + 1);
    return port;
  }

  private firstFree(kind: keyof EnginePorts, range: PortRange, nowMs: number): number | null {
    const size = range.last - range.first + 1;
    const cursor = this.cursors.get(cursorKey(kind, range)) ?? range.first + (this.offset % size);
    for (let tried = 0; tried < size; tried += 1) {
      const port = range.first + ((cursor - range.first + tried) % size);
      if (!this.owners.has(port) && nowMs >= (this.asideUntil.get(port) ?? -Infinity)) return port;
    }
    return null;
  }
}

function cursorKey(kind: keyof EnginePorts, range: PortRange): string {
  return `${kind} ${range.first}`;
}
