/** What every runtime promises, whatever it runs engines with. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EngineInstance,
  type EngineRuntime,
  type EngineSpec,
  PortTakenError,
  type RuntimeEvent,
} from '../../../apps/orchestrator/src/runtime/engine-runtime.js';

/** A runtime with its surroundings, made anew for each test. */
export interface RuntimeUnderTest {
  /** Opened. */
  readonly runtime: EngineRuntime;
  /** Another object for the same installation, not opened: what a restarted service would make. */
  another(): EngineRuntime;
  /** An engine that starts, with ports that are free. */
  spec(): EngineSpec;
  /** An engine whose start fails. */
  failingSpec(): EngineSpec;
  /** Ends the engine's process behind the runtime's back; resolves when it is gone. */
  kill(instance: EngineInstance): Promise<void>;
  /** Lets a foreign program hold a port until the returned function is called. */
  occupy(port: number): Promise<() => Promise<void>>;
  /** Everything of this installation that an outside look still finds: processes, containers, folders. */
  leftovers(): Promise<string[]>;
  /** Ends all engines and closes every runtime that was made. */
  dispose(): Promise<void>;
}

const EVENT_LIMIT_MS = 5000;
const GRACE_MS = 2000;

export function describeEngineRuntime(name: string, make: () => Promise<RuntimeUnderTest>): void {
  describe(`${name} as an engine runtime`, () => {
    let its: RuntimeUnderTest;
    let runtime: EngineRuntime;
    const never = new AbortController().signal;

    beforeEach(async () => {
      its = await make();
      runtime = its.runtime;
    });

    afterEach(async () => {
      await its.dispose();
    });

    it('starts an engine that runs, with the name, labels, ports and kind it was given', async () => {
      const spec = its.spec();
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

    it('lists what it has started', async () => {
      const one = await runtime.start(its.spec(), never);
      const other = await runtime.start(its.spec(), never);
      expect(one.id).not.toBe(other.id);
      const listed = await runtime.list();
      expect(listed.map(({ id }) => id).sort()).toEqual([one.id, other.id].sort());
      expect(listed.every(({ state }) => state === 'running')).toBe(true);
    });

    it('starts several at the same time', async () => {
      const started = await Promise.all([1, 2, 3].map(() => runtime.start(its.spec(), never)));
      expect(new Set(started.map(({ id }) => id)).size).toBe(3);
      expect(await runtime.list()).toHaveLength(3);
    });

    it('removes an engine without a trace', async () => {
      const engine = await runtime.start(its.spec(), never);
      await runtime.remove(engine.id, GRACE_MS);
      expect(await runtime.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });

    it('removes an engine once, however often and at whatever moment it is asked to', async () => {
      const engine = await runtime.start(its.spec(), never);
      const events = record(runtime);
      await Promise.all([runtime.remove(engine.id, GRACE_MS), runtime.remove(engine.id, GRACE_MS)]);
      await runtime.remove(engine.id, GRACE_MS);
      await events.until(({ type }) => type === 'removed');
      expect(events.seen.filter(({ type }) => type === 'removed')).toHaveLength(1);
    });

    it('finds nothing wrong with removing an engine that never was', async () => {
      await expect(runtime.remove('0123456789ab', GRACE_MS)).resolves.toBeUndefined();
    });

    it('has the ports of a removed engine free again', async () => {
      const spec = its.spec();
      const engine = await runtime.start(spec, never);
      await runtime.remove(engine.id, GRACE_MS);
      const again = await runtime.start({ ...spec, name: `${spec.name}-again` }, never);
      expect(again.ports).toEqual(spec.ports);
    });

    it('says which port is taken, and leaves nothing behind', async () => {
      const spec = its.spec();
      const free = await its.occupy(spec.ports.http);
      try {
        const error = await runtime.start(spec, never).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(PortTakenError);
        expect((error as PortTakenError).port).toBe(spec.ports.http);
        expect(await runtime.list()).toEqual([]);
        expect(await its.leftovers()).toEqual([]);
      } finally {
        await free();
      }
    });

    it('leaves nothing behind of a start that failed', async () => {
      const error = await runtime.start(its.failingSpec(), never).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'runtime_failed' });
      expect((error as Error).message).not.toBe('');
      expect(await runtime.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });

    it('leaves nothing behind of a start that was given up', async () => {
      const controller = new AbortController();
      const starting = runtime.start(its.spec(), controller.signal).catch((thrown: unknown) => thrown);
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error('given up'));
      expect(await starting).toMatchObject({ message: 'given up' });
      expect(await runtime.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });

    it('starts nothing for a signal that was aborted before', async () => {
      await expect(runtime.start(its.spec(), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
      expect(await its.leftovers()).toEqual([]);
    });

    it('tells of an engine that starts, dies and is removed', async () => {
      const events = record(runtime);
      const engine = await runtime.start(its.spec(), never);
      await events.until(({ type }) => type === 'started');
      await its.kill(engine);
      await events.until(({ type }) => type === 'died');
      await runtime.remove(engine.id, GRACE_MS);
      await events.until(({ type }) => type === 'removed');
      expect(events.seen.filter(({ type }) => type !== 'lost' && type !== 'prepared')).toEqual(
        (['started', 'died', 'removed'] as const).map((type) => ({ type, id: engine.id })),
      );
    });

    it('lists a dead engine as exited until it is removed', async () => {
      const engine = await runtime.start(its.spec(), never);
      const events = record(runtime);
      await its.kill(engine);
      await events.until(({ type }) => type === 'died');
      expect(await runtime.list()).toMatchObject([{ id: engine.id, state: 'exited' }]);
      await runtime.remove(engine.id, GRACE_MS);
      expect(await runtime.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });

    it('tells a listener nothing after it has stopped to listen, and the others go on', async () => {
      const seen: RuntimeEvent[] = [];
      const stop = runtime.watch((event) => seen.push(event));
      const events = record(runtime);
      stop();
      await runtime.start(its.spec(), never);
      await events.until(({ type }) => type === 'started');
      expect(seen).toEqual([]);
    });

    it('is not disturbed by a listener that throws', async () => {
      runtime.watch(() => {
        throw new Error('a bad listener');
      });
      const events = record(runtime);
      await runtime.start(its.spec(), never);
      await events.until(({ type }) => type === 'started');
    });

    it('lets engines run on when it closes, and the next one has them with all that was known', async () => {
      const engine = await runtime.start(its.spec(), never);
      await runtime.close();
      expect(await its.leftovers()).not.toEqual([]);
      const next = its.another();
      await next.open();
      // Only the time that it has been up has gone on.
      expect((await next.list()).map((one) => ({ ...one, maxUptimeMs: engine.maxUptimeMs }))).toEqual([engine]);
    });

    it('sees the death of an engine that it took over, and can remove it', async () => {
      const engine = await runtime.start(its.spec(), never);
      await runtime.close();
      const next = its.another();
      await next.open();
      const events = record(next);
      await its.kill(engine);
      await events.until((event) => event.type === 'died' && event.id === engine.id);
      await next.remove(engine.id, GRACE_MS);
      expect(await its.leftovers()).toEqual([]);
    });

    it('removes an engine that it took over', async () => {
      const engine = await runtime.start(its.spec(), never);
      await runtime.close();
      const next = its.another();
      await next.open();
      await next.remove(engine.id, GRACE_MS);
      expect(await next.list()).toEqual([]);
      expect(await its.leftovers()).toEqual([]);
    });

    it('does not take an engine for running that died while nobody looked', async () => {
      const engine = await runtime.start(its.spec(), never);
      await runtime.close();
      await its.kill(engine);
      const next = its.another();
      await next.open();
      expect((await next.list()).filter(({ state }) => state === 'running')).toEqual([]);
    });

    it('closes twice without complaint', async () => {
      await runtime.close();
      await expect(runtime.close()).resolves.toBeUndefined();
    });
  });
}

/** Keeps the events of a runtime, and waits for one. */
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
    const there = seen.find(wanted);
    if (there) return Promise.resolve(there);
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`no such event within ${EVENT_LIMIT_MS} ms, only ${JSON.stringify(seen)}`)),
        EVENT_LIMIT_MS,
      );
      const look = (event: RuntimeEvent): void => {
        if (!wanted(event)) return;
        clearTimeout(limit);
        waiting.delete(look);
        resolve(event);
      };
      waiting.add(look);
    });
  };
  return { seen, until };
}
