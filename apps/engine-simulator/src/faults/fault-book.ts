/**
 * Which knobs hold now. Four layers, the later over the earlier: the environment, what a content brings along (catalog or prefix of its id),
 * faults set at run time for everything ("*"), faults set at run time for one content.
 */
import type { Knobs } from './knobs.js';

/** The names by which a fault may mean a content, and what it brings along itself. */
export interface FaultSubject {
  infohash: string;
  id: string | null;
  knobs: Partial<Knobs>;
}

export interface ActiveFault {
  target: string;
  knobs: Partial<Knobs>;
  /** Unix ms, null for until it is cleared. */
  until: number | null;
}

export const EVERYTHING = '*';

export class FaultBook {
  private active: (ActiveFault & { timer: NodeJS.Timeout | null })[] = [];
  private engineKnobs: Knobs;
  private cache = new WeakMap<FaultSubject, Knobs>();
  private listeners: (() => void)[] = [];

  constructor(private readonly base: Knobs) {
    this.engineKnobs = base;
  }

  /** The knobs of the engine as a whole. The same object until something changes. */
  get engine(): Knobs {
    return this.engineKnobs;
  }

  /** The knobs for one content. The same object until something changes. */
  of(content: FaultSubject): Knobs {
    let knobs = this.cache.get(content);
    if (!knobs) {
      knobs = { ...this.base, ...content.knobs };
      for (const fault of this.active) if (fault.target === EVERYTHING) Object.assign(knobs, fault.knobs);
      for (const fault of this.active)
        if (fault.target === content.infohash || fault.target === content.id) Object.assign(knobs, fault.knobs);
      this.cache.set(content, knobs);
    }
    return knobs;
  }

  /** Sets knobs for `target` ("*", a content id or an infohash), for `forMs` or until cleared. */
  set(target: string, knobs: Partial<Knobs>, forMs: number | null = null): void {
    const fault = { target, knobs, until: forMs === null ? null : Date.now() + forMs, timer: null as NodeJS.Timeout | null };
    if (forMs !== null) {
      fault.timer = setTimeout(() => {
        this.active = this.active.filter((other) => other !== fault);
        this.changed();
      }, forMs).unref();
    }
    this.active.push(fault);
    this.changed();
  }

  /** Takes back all run-time faults, or those of one target. */
  clear(target: string | null = null): void {
    const goes = (fault: ActiveFault) => target === null || fault.target === target;
    for (const fault of this.active) if (goes(fault) && fault.timer) clearTimeout(fault.timer);
    this.active = this.active.filter((fault) => !goes(fault));
    this.changed();
  }

  list(): ActiveFault[] {
    return this.active.map(({ target, knobs, until }) => ({ target, knobs, until }));
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  private changed(): void {
    this.cache = new WeakMap();
    this.engineKnobs = { ...this.base };
    for (const fault of this.active) if (fault.target === EVERYTHING) Object.assign(this.engineKnobs, fault.knobs);
    for (const listener of this.listeners) listener();
  }
}
