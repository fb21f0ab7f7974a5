import { createServer, type Server } from 'node:net';

/** TCP ports that are free now. All servers listen until the last port is found, so that the ports differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject);
          server.listen(0, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A range of ports that one owner has until it releases them. */
export interface ReservedPorts {
  first: number;
  release(): Promise<void>;
}

/** Below the ephemeral ports (Linux: from 32,768). */
const RANGE_FIRST = 20_000;
const RANGE_END = 32_000;
/** A range consists of whole units, so that ranges of any size never overlap. */
const UNIT = 200;

/**
 * Settings of an orchestrator for the ports of its engines: four ranges of `size` ports, one after another. `usable`: how many of each range
 * the engines may use.
 */
export function enginePortRanges(first: number, size: number, usable = size): Record<string, string> {
  const names = ['PORT_RANGE_HOST', 'ACE_HTTPS_RANGE', 'ACE_API_RANGE', 'ACE_P2P_RANGE'];
  return Object.fromEntries(names.map((name, index) => [name, `${first + index * size}-${first + index * size + usable - 1}`]));
}

/**
 * Reserves `size` consecutive ports that no other test on this machine has, in this process or another. The owner of a unit listens on its
 * last port, so the last port of each unit is not available.
 */
export async function reservePorts(size: number): Promise<ReservedPorts> {
  const units = Math.ceil(size / UNIT);
  for (let first = RANGE_FIRST; first + units * UNIT <= RANGE_END; first += UNIT) {
    const locks = await Promise.all(Array.from({ length: units }, (_, unit) => listening(first + (unit + 1) * UNIT - 1)));
    const held = locks.filter((lock) => lock !== null);
    const release = async (): Promise<void> => {
      await Promise.all(held.map((lock) => new Promise((resolve) => lock.close(resolve))));
    };
    if (held.length === units) return { first, release };
    await release();
  }
  throw new Error(`no ${size} consecutive ports from ${RANGE_FIRST} to ${RANGE_END} are free: stop other test runs`);
}

function listening(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).once('error', () => resolve(null));
    server.listen(port, () => resolve(server.unref()));
  });
}
