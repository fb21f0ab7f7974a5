import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type EnginePorts, PortTakenError } from '../engine-runtime.js';

/**
 * Binds each port for a moment on every address, the P2P port for UDP as well, as the engine is about to.
 * @throws PortTakenError
 */
export async function probePorts(ports: EnginePorts): Promise<void> {
  await Promise.all([...Object.values(ports as unknown as Record<string, number>).map(probeTcp), probeUdp(ports.p2p)]);
}

async function probeTcp(port: number): Promise<void> {
  const server = createServer();
  await bound(port, server, () => server.listen({ port, exclusive: true }), 'listening');
}

async function probeUdp(port: number): Promise<void> {
  const socket = createSocket('udp4');
  await bound(port, socket, () => socket.bind({ port, exclusive: true }), 'listening');
}

interface Bindable extends NodeJS.EventEmitter {
  close(done: () => void): unknown;
}

async function bound(port: number, bindable: Bindable, bind: () => unknown, event: string): Promise<void> {
  const ready = once(bindable, event);
  bind();
  try {
    await ready;
  } catch (error) {
    throw new PortTakenError(port, { cause: error });
  }
  await new Promise<void>((resolve) => {
    bindable.close(resolve);
  });
}
