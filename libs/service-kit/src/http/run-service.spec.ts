import type { NestExpressApplication } from '@nestjs/platform-express';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLog } from '../logging/log.js';
import { runService } from './run-service.js';

type Listener = (argument: unknown) => void;

describe('a running service', () => {
  const handlers = new Map<string | symbol, Listener>();
  const exits: number[] = [];
  const logged: string[] = [];

  beforeEach(() => {
    handlers.clear();
    exits.length = 0;
    logged.length = 0;
    const on = (name: string | symbol, listener: Listener): NodeJS.Process => {
      handlers.set(name, listener);
      return process;
    };
    const spies = [
      vi.spyOn(process, 'on').mockImplementation(on),
      vi.spyOn(process, 'once').mockImplementation(on),
      vi.spyOn(process, 'exit').mockImplementation((code) => void exits.push(Number(code)) as never),
      vi.spyOn(process, 'send').mockImplementation(() => true),
    ];
    // A shutdown limit of one test must not end the process later.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
      spies.forEach((spy) => spy.mockRestore());
    });
  });

  async function run(app: Partial<Record<'close' | 'listen', () => Promise<void>>> = {}, shutdownLimitMs = 1000): Promise<void> {
    const service = { listen: async () => undefined, close: async () => undefined, ...app } as unknown as NestExpressApplication;
    const log = createLog({ service: 'sample', level: 'INFO', destination: { write: (line) => logged.push(line) } });
    await runService(service, { listen: { port: 8080 }, portSetting: 'APP_PORT', log, shutdownLimitMs });
  }
  const occurs = (event: string, argument: unknown): void => handlers.get(event)!(argument);

  it('closes the application on SIGTERM and exits with 0', async () => {
    const close = vi.fn(async () => undefined);
    await run({ close });
    occurs('SIGTERM', 'SIGTERM');
    await vi.waitFor(() => expect(exits[0]).toBe(0), 10_000);
    expect(close).toHaveBeenCalledOnce();
  });

  it('exits at once on a second signal', async () => {
    await run({ close: () => new Promise(() => undefined) });
    occurs('SIGINT', 'SIGINT');
    expect(exits).toEqual([]);
    occurs('SIGINT', 'SIGINT');
    expect(exits[0]).toBe(130);
  });

  it('logs an unhandled rejection and continues to serve', async () => {
    const close = vi.fn(async () => undefined);
    await run({ close });
    occurs('unhandledRejection', new Error('nobody awaited this'));
    expect(logged.join()).toContain('nobody awaited this');
    expect(close).not.toHaveBeenCalled();
    expect(exits).toEqual([]);
  });

  it('exits with 1 on an uncaught exception, without closing', async () => {
    const close = vi.fn(async () => undefined);
    await run({ close });
    occurs('uncaughtException', new Error('broken'));
    expect(exits[0]).toBe(1);
    expect(close).not.toHaveBeenCalled();
  });

  it.each([
    ['fails', () => Promise.reject(new Error('cannot close')), 'shutdown failed'],
    ['takes too long', () => new Promise<void>(() => undefined), 'shutdown timed out'],
  ])('exits with 1 when closing %s', async (_name, close, message) => {
    await run({ close }, 20);
    occurs('SIGTERM', 'SIGTERM');
    await vi.waitFor(() => expect(exits[0]).toBe(1), 10_000);
    expect(logged.join()).toContain(message);
  });

  it('exits with 1 and names the setting when the port is in use', async () => {
    await run({ listen: () => Promise.reject(Object.assign(new Error('in use'), { code: 'EADDRINUSE' })) });
    expect(exits[0]).toBe(1);
    expect(logged[0]).toContain('APP_PORT');
  });
});
