import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type EnginePorts, PortTakenError } from '../engine-runtime.js';

/**
 * Binds each port for a moment on every address, as the engine will do: all ports for TCP, the P2P port for UDP too.
 * @throws PortTakenError
 */
export async function probePorts(ports: EnginePorts): Promise<void> {
  const tcp = Object.values({ ...ports }).map((port) => probe(port, createServer().listen({ port, exclusive: true })));
  await Promise.all([...tcp, probe(ports.p2p, createSocket('udp4').bind({ port: ports.p2p, exclusive: true }))]);
}

async function probe(port: number, binding: Server | Socket): Promise<void> {
  try {
    await once(binding, 'listening');
  } catch (error) {
    throw new PortTakenError(port, { cause: error });
  }
  await new Promise<void>((resolve) => void binding.close(() => resolve()));
}
