import type { ContainerInfo, EngineState } from '@acexy/contracts';
import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import { type Engine, EngineRegistry } from './engine-registry.js';
import { isoTime, toEngineState } from './engine-state.js';
import { LeaseService } from '../leases/lease.service.js';

interface KnownTag {
  version: number;
  occupancy: number;
  etag: string;
}

/** What clients see of the registry. */
@Injectable()
export class EngineViews {
  /** Of the list without and with the engines that are starting. */
  private readonly tags = new Map<boolean, KnownTag>();

  constructor(
    private readonly registry: EngineRegistry,
    private readonly leases: LeaseService,
  ) {}

  /** Engines whose API has answered, oldest first; with `all` also those that are starting. */
  list(all: boolean): EngineState[] {
    return this.registry
      .all()
      .filter((engine) => all || engine.lifecycle !== 'starting')
      .sort((a, b) => a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1))
      .map((engine) => this.stateOf(engine));
  }

  /**
   * Changes when the list does, except for what a mere probe or sighting changes, and is the same again after a restart. Worked out only when
   * something has changed: whoever asks whether there is news costs next to nothing.
   */
  etag(all: boolean): string {
    const { version } = this.registry;
    const { occupancy } = this.leases;
    const known = this.tags.get(all);
    if (known?.version === version && known.occupancy === occupancy) return known.etag;
    const etag = etagOf(this.list(all));
    this.tags.set(all, { version, occupancy, etag });
    return etag;
  }

  /** By id or name. */
  one(id: string): EngineState | null {
    const engine = this.registry.all().find((each) => each.id === id || each.instance.name === id);
    return engine ? this.stateOf(engine) : null;
  }

  container(id: string): ContainerInfo | null {
    const found = this.registry.everything().find((each) => each.id === id || each.instance.name === id);
    return found ? containerInfo(found.instance) : null;
  }

  /** The containers of this installation that bear a label, engines and others; any value of it will do where none is given. */
  containersWith(key: string, value?: string): ContainerInfo[] {
    return this.registry
      .everything()
      .map(({ instance }) => instance)
      .filter(({ labels }) => Object.hasOwn(labels, key) && (value === undefined || labels[key] === value))
      .map(containerInfo);
  }

  private stateOf(engine: Engine): EngineState {
    return toEngineState(engine, this.leases.streamsOn(engine.id));
  }
}

function containerInfo({ id, name, image, createdAt, state, labels, published }: EngineInstance): ContainerInfo {
  return { id, name, image, created: isoTime(createdAt), status: state, labels: { ...labels }, ports: { ...published } };
}

/** Over everything but what a mere probe or sighting changes. */
function etagOf(engines: readonly EngineState[]): string {
  const lasting = engines.map(({ last_seen: _seen, last_health_check: _check, ...rest }) => rest);
  return `W/"${createHash('sha1').update(JSON.stringify(lasting)).digest('base64url')}"`;
}
