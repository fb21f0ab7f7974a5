/**
 * Resolves which settings are in effect now. Four layers, each over the one before: the environment, the content's own settings (catalog or
 * prefix of its id), faults injected for the whole engine ("*"), faults injected for one content.
 */
import type { SimulatorSettings } from './simulator-settings.js';

/** The names by which a fault selects a content, and the content's own settings. */
export interface FaultTarget {
  infohash: string;
  id: string | null;
  settings: Partial<SimulatorSettings>;
}

export interface ActiveFault {
  target: string;
  settings: Partial<SimulatorSettings>;
  /** Unix ms; null: until it is cleared. */
  until: number | null;
}

export const WHOLE_ENGINE = '*';

export class FaultInjector {
  private active: (ActiveFault & { timer?: NodeJS.Timeout })[] = [];
  private currentEngineSettings: SimulatorSettings;
  private cache = new WeakMap<FaultTarget, SimulatorSettings>();
  private readonly listeners: (() => void)[] = [];

  constructor(private readonly base: SimulatorSettings) {
    this.currentEngineSettings = base;
  }

  /** The settings of the whole engine. The same object until something changes. */
  get engineSettings(): SimulatorSettings {
    return this.currentEngineSettings;
  }

  /** The settings for one content. The same object until something changes. */
  settingsOf(content: FaultTarget): SimulatorSettings {
    const cached = this.cache.get(content);
    if (cached) return cached;
    const settings = {
      ...this.base,
      ...content.settings,
      ...this.injectedFor([WHOLE_ENGINE]),
      ...this.injectedFor([content.infohash, content.id]),
    };
    this.cache.set(content, settings);
    return settings;
  }

  /** Injects settings for `target` ("*", a content id or an infohash), for `forMs` or until they are cleared. */
  set(target: string, settings: Partial<SimulatorSettings>, forMs: number | null = null): void {
    const fault: (typeof this.active)[number] = { target, settings, until: forMs === null ? null : Date.now() + forMs };
    if (forMs !== null) fault.timer = setTimeout(() => this.keep((other) => other !== fault), forMs).unref();
    this.active.push(fault);
    this.changed();
  }

  /** Clears all injected faults, or those of one target. */
  clear(target: string | null = null): void {
    this.keep((fault) => target !== null && fault.target !== target);
  }

  list(): ActiveFault[] {
    return this.active.map(({ target, settings, until }) => ({ target, settings, until }));
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  private injectedFor(targets: (string | null)[]): Partial<SimulatorSettings> {
    return Object.assign(
      {},
      ...this.active.filter(({ target }) => targets.includes(target)).map(({ settings }) => settings),
    ) as Partial<SimulatorSettings>;
  }

  private keep(stays: (fault: ActiveFault) => boolean): void {
    for (const fault of this.active) if (!stays(fault)) clearTimeout(fault.timer);
    this.active = this.active.filter(stays);
    this.changed();
  }

  private changed(): void {
    this.cache = new WeakMap();
    this.currentEngineSettings = { ...this.base, ...this.injectedFor([WHOLE_ENGINE]) };
    for (const listener of this.listeners) listener();
  }
}
