/** The tests that every runtime passes, whatever it runs engines with. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  PortTakenError,
  type RuntimeEvent,
} from '../../../apps/orchestrator/src/runtime/engine-runtime.js';

/** A runtime with all it needs, created for each test. */
export interface RuntimeUnderTest {
  /** Opened. */
  readonly runtime: EngineRuntime;
  /** Creates another runtime for the same installation, not opened, as a restarted service does. */
  createNext(): EngineRuntime;
  /** A spec whose start succeeds, with free ports. */
  spec(): EngineSpec;
  /** A spec whose start fails. */
  failingSpec(): EngineSpec;
  /** Kills the engine's process without the runtime; resolves when it has ended. */
  kill(instance: EngineInstance): Promise<void>;
  /** Occupies a port until the returned function is called. */
  occupy(port: number): Promise<() => Promise<void>>;
  /** All processes, containers and folders of this installation that still exist. */
  leftovers(): Promise<string[]>;
  /** Stops all engines and closes every runtime. */
  dispose(): Promise<void>;
}

const EVENT_LIMIT_MS = 15_000;
const GRACE_MS = 2000;

export function describeEngineRuntime(name: string, make: () => Promise<RuntimeUnderTest>): void {
  describe(`${name} as an engine runtime`, () => {
    let fixture: RuntimeUnderTest;
    let runtime: EngineRuntime;
    const never = new AbortController().signal;

    beforeEach(async () => {
      fixture = await make();
      runtime = fixture.runtime;
    });

    afterEach(async () => {
      await fixture.dispose();
    });

    it('starts an engine with the name, labels, ports and kind of its spec', async () => {
      const spec = fixture.spec();
      const before = Date.now();
      const engine = await runtime.start(spec, never);
      expect(engine).toMatchObject({ name: spec.name, kind: spec.kind, ports: spec.ports, state: 'running', exitCode: null });
      expect(engine.labels).toMatchObject(spec.labels);
      expect(engine.id).toMatch(/^[0-9a-f]{12,64}$/);
      expect(engine.createdAt).toBeGreaterThanOrEqual(before - 2000);
      expect(engine.createdAt).toBeLessThanOrEqual(Date.now() + 2000);
      expect(engine.host).not.toBe('');
      expect(engine.port).toBeGreaterThan(0);
    });

    it('lists the engines it has started', async () => {
      const one = await runtime.start(fixture.spec(), never);
      const other = await runtime.start(fixture.spec(), never);
      expect(one.id).not.toBe(other.id);
      const listed = await runtime.list();
      expect(listed.map(({ id }) => id).sort()).toEqual([one.id, other.id].sort());
      expect(listed.every(({ state }) => state === 'running')).toBe(true);
    });

    it('starts several at the same time', async () => {
      const started = await Promise.all([1, 2, 3].map(() => runtime.start(fixture.spec(), never)));
      expect(new Set(started.map(({ id }) => id)).size).toBe(3);
      expect(await runtime.list()).toHaveLength(3);
    });

    it('removes an engine and leaves nothing behind', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      await runtime.remove(engine.id, GRACE_MS);
      expect(await runtime.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('removes an engine once, for any number of calls', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      const events = record(runtime);
      await Promise.all([runtime.remove(engine.id, GRACE_MS), runtime.remove(engine.id, GRACE_MS)]);
      await runtime.remove(engine.id, GRACE_MS);
      await events.until(({ type }) => type === 'removed');
      expect(events.seen.filter(({ type }) => type === 'removed')).toHaveLength(1);
    });

    it('does nothing when an unknown engine is removed', async () => {
      await expect(runtime.remove('0123456789ab', GRACE_MS)).resolves.toBeUndefined();
    });

    it('frees the ports of a removed engine', async () => {
      const spec = fixture.spec();
      const engine = await runtime.start(spec, never);
      await runtime.remove(engine.id, GRACE_MS);
      const again = await runtime.start({ ...spec, name: `${spec.name}-again` }, never);
      expect(again.ports).toEqual(spec.ports);
    });

    it('reports a taken port and leaves nothing behind', async () => {
      const spec = fixture.spec();
      const free = await fixture.occupy(spec.ports.http);
      try {
        const error = await runtime.start(spec, never).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(PortTakenError);
        expect((error as PortTakenError).port).toBe(spec.ports.http);
        expect(await runtime.list()).toEqual([]);
        expect(await fixture.leftovers()).toEqual([]);
      } finally {
        await free();
      }
    });

    it('leaves nothing behind when a start fails', async () => {
      const error = await runtime.start(fixture.failingSpec(), never).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'runtime_failed' });
      expect((error as Error).message).not.toBe('');
      expect(await runtime.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('leaves nothing behind when a start is aborted', async () => {
      const controller = new AbortController();
      const starting = runtime.start(fixture.spec(), controller.signal).catch((thrown: unknown) => thrown);
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error('aborted by the test'));
      expect(await starting).toMatchObject({ message: 'aborted by the test' });
      expect(await runtime.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('starts nothing when the signal was aborted before', async () => {
      await expect(runtime.start(fixture.spec(), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('emits events when an engine starts, dies and is removed', async () => {
      const events = record(runtime);
      const engine = await runtime.start(fixture.spec(), never);
      await events.until(({ type }) => type === 'started');
      await fixture.kill(engine);
      await events.until(({ type }) => type === 'died');
      await runtime.remove(engine.id, GRACE_MS);
      await events.until(({ type }) => type === 'removed');
      expect(events.seen.filter((event) => 'id' in event)).toEqual(
        (['started', 'died', 'removed'] as const).map((type) => ({ type, id: engine.id })),
      );
    });

    it('lists a dead engine as exited until it is removed', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      const events = record(runtime);
      await fixture.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(await runtime.list()).toMatchObject([{ id: engine.id, state: 'exited' }]);
      await runtime.remove(engine.id, GRACE_MS);
      expect(await runtime.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('calls no listener that has unsubscribed, but all others', async () => {
      const seen: RuntimeEvent[] = [];
      const stop = runtime.watch((event) => seen.push(event));
      const events = record(runtime);
      stop();
      await runtime.start(fixture.spec(), never);
      await events.until(({ type }) => type === 'started');
      expect(seen).toEqual([]);
    });

    it('calls the other listeners when one throws', async () => {
      runtime.watch(() => {
        throw new Error('a bad listener');
      });
      const events = record(runtime);
      await runtime.start(fixture.spec(), never);
      await events.until(({ type }) => type === 'started');
    });

    it('keeps engines running when it closes, and the next runtime adopts them with all their properties', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      await runtime.close();
      expect(await fixture.leftovers()).not.toEqual([]);
      const next = fixture.createNext();
      await next.open();
      // Only the uptime has changed.
      expect((await next.list()).map((one) => ({ ...one, maxUptimeMs: engine.maxUptimeMs }))).toEqual([engine]);
    });

    it('reports the death of an adopted engine, and can remove it', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      await runtime.close();
      const next = fixture.createNext();
      await next.open();
      const events = record(next);
      const before = events.seen.length;
      await fixture.kill(engine);
      // `lost` instead: the subscription began after the death. Then the service reads the list.
      await events.until(
        (event) => (event.type === 'died' && event.id === engine.id) || (event.type === 'lost' && events.seen.indexOf(event) >= before),
      );
      expect((await next.list()).filter(({ state }) => state === 'running')).toEqual([]);
      await next.remove(engine.id, GRACE_MS);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('removes an adopted engine', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      await runtime.close();
      const next = fixture.createNext();
      await next.open();
      await next.remove(engine.id, GRACE_MS);
      expect(await next.list()).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('does not list an engine as running that died while no runtime was open', async () => {
      const engine = await runtime.start(fixture.spec(), never);
      await runtime.close();
      await fixture.kill(engine);
      const next = fixture.createNext();
      await next.open();
      expect((await next.list()).filter(({ state }) => state === 'running')).toEqual([]);
    });

    it('can be closed twice', async () => {
      await runtime.close();
      await expect(runtime.close()).resolves.toBeUndefined();
    });
  });
}

/** Records the events of a runtime. */
export function record(runtime: EngineRuntime): {
  seen: RuntimeEvent[];
  until(wanted: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent>;
} {
  const seen: RuntimeEvent[] = [];
  const waiting = new Set<(event: RuntimeEvent) => void>();
  runtime.watch((event) => {
    seen.push(event);
    for (const one of waiting) one(event);
  });
  const until = (wanted: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent> => {
    const found = seen.find(wanted);
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`no such event within ${EVENT_LIMIT_MS} ms, only ${JSON.stringify(seen)}`)),
        EVENT_LIMIT_MS,
      );
      const check = (event: RuntimeEvent): void => {
        if (!wanted(event)) return;
        clearTimeout(limit);
        waiting.delete(check);
        resolve(event);
      };
      waiting.add(check);
    });
  };
  return { seen, until };
}
