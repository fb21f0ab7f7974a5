import type { ContainerInfo, EngineState } from '@acexy/contracts';
import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { EngineInstance } from '../runtime/engine-runtime.js';
import { EngineRegistry } from './engine-registry.js';
import { isoTime, toEngineState } from './engine-state.js';

/** The registry as clients see it. */
@Injectable()
export class EngineViews {
  private readonly etags = new ListCache<string>();
  private readonly texts = new ListCache<Buffer>();

  constructor(private readonly registry: EngineRegistry) {}

  /** Engines whose API has answered, oldest first; with `all` also the starting ones. */
  list(all: boolean): EngineState[] {
    return [...(all ? this.registry.all() : this.registry.inService())]
      .sort((a, b) => a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1))
      .map(toEngineState);
  }

  /** The ETag of `list`. A sighting, a probe or a restart of the orchestrator does not change it. Computed once per version of the registry. */
  etag(all: boolean): string {
    return this.etags.get(all, this.registry.version, () => etagOf(this.list(all)));
  }

  /** `list` as JSON. Written once per revision of the registry: hundreds of clients may ask for it before it changes. */
  json(all: boolean): Buffer {
    return this.texts.get(all, this.registry.revision, () => Buffer.from(JSON.stringify(this.list(all))));
  }

  /** By id or name. */
  one(id: string): EngineState | null {
    const engine = this.registry.all().find((each) => each.id === id || each.instance.name === id);
    return engine ? toEngineState(engine) : null;
  }

  container(id: string): ContainerInfo | null {
    const found = this.registry.everything().find((each) => each.id === id || each.instance.name === id);
    return found ? containerInfo(found.instance) : null;
  }

  /** The containers of this installation that have a label, engines and others; without `value` the label may have any value. */
  containersWith(key: string, value?: string): ContainerInfo[] {
    return this.registry
      .everything()
      .map(({ instance }) => instance)
      .filter(({ labels }) => Object.hasOwn(labels, key) && (value === undefined || labels[key] === value))
      .map(containerInfo);
  }
}

/** Something made from the list without and from the list with starting engines, and the state of the registry that it was made from. */
class ListCache<T> {
  private readonly known = new Map<boolean, { state: number; value: T }>();

  get(all: boolean, state: number, make: () => T): T {
    const known = this.known.get(all);
    if (known?.state === state) return known.value;
    const value = make();
    this.known.set(all, { state, value });
    return value;
  }
}

function containerInfo({ id, name, image, createdAt, state, labels, published }: EngineInstance): ContainerInfo {
  return { id, name, image, created: isoTime(createdAt), status: state, labels: { ...labels }, ports: { ...published } };
}

function etagOf(engines: readonly EngineState[]): string {
  const lasting = engines.map(({ last_seen: _seen, last_health_check: _check, ...rest }) => rest);
  return `W/"${createHash('sha1').update(JSON.stringify(lasting)).digest('base64url')}"`;
}
