import { createServer, type Server } from 'node:net';

/** TCP ports that are free now. All are held until all are found, so that they differ. */
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

/** A range of ports with one owner, until released. */
export interface ReservedPorts {
  first: number;
  release(): Promise<void>;
}

/** Below the ephemeral ports (Linux: from 32,768). */
const RANGE_FIRST = 20_000;
const RANGE_END = 32_000;
/** Ranges consist of whole units, so that ranges of any size never overlap. */
const UNIT = 200;

/**
 * Reserves `size` consecutive ports that no other test on this machine has, in this process or another. The owner of a unit listens on its
 * last port. In a range of several units, these ports are also inside the range and not available.
 */
export async function reservePorts(size: number): Promise<ReservedPorts> {
  const units = Math.ceil(size / UNIT);
  for (let first = RANGE_FIRST; first + units * UNIT <= RANGE_END; first += UNIT) {
    const gates = await Promise.all(Array.from({ length: units }, (_, unit) => listening(first + (unit + 1) * UNIT - 1)));
    const held = gates.filter((gate) => gate !== null);
    const release = async (): Promise<void> => {
      await Promise.all(held.map((gate) => new Promise((resolve) => gate.close(resolve))));
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
