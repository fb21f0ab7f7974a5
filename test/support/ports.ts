import { createServer, type Server } from 'node:net';

/** Free TCP ports of this machine at this moment. All are held until all are found, so that they differ. */
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

/** Ports of one owner, for as long as it holds them. */
export interface PortStretch {
  first: number;
  release(): Promise<void>;
}

/** Below the ports that the system gives to whoever asks for any (Linux: from 32,768). */
const STRETCHES_FROM = 20_000;
const STRETCHES_TO = 32_000;
/** Stretches are made of whole units, so that those of any size never overlap. */
const UNIT = 200;

/**
 * `size` ports in a row that no other test of this machine has, in this process or another: whoever listens on the last port of a unit
 * has the unit. One of more than a unit has such ports within, too: they are taken for whoever else asks.
 */
export async function claimStretch(size: number): Promise<PortStretch> {
  const units = Math.ceil(size / UNIT);
  for (let first = STRETCHES_FROM; first + units * UNIT <= STRETCHES_TO; first += UNIT) {
    const gates = await Promise.all(Array.from({ length: units }, (_, unit) => listening(first + (unit + 1) * UNIT - 1)));
    const held = gates.filter((gate) => gate !== null);
    const release = async (): Promise<void> => {
      await Promise.all(held.map((gate) => new Promise((resolve) => gate.close(resolve))));
    };
    if (held.length === units) return { first, release };
    await release();
  }
  throw new Error(`every stretch of ${size} ports from ${STRETCHES_FROM} to ${STRETCHES_TO} is taken`);
}

function listening(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).once('error', () => resolve(null));
    server.listen(port, () => resolve(server.unref()));
  });
}
