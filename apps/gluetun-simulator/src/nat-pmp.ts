import { createSocket } from 'node:dgram';

const PORT = 5351;
const TIMEOUT_MS = 1_000;
const LIFETIME_S = 60;
const MAP_UDP = 1;

/** Asks the gateway behind the tunnel for a forwarded port by NAT-PMP (RFC 6886), as Gluetun does. Null without a valid reply. */
export function forwardedPortOf(gateway: string): Promise<number | null> {
  const request = Buffer.alloc(12);
  request[1] = MAP_UDP;
  request.writeUInt16BE(1, 6);
  request.writeUInt32BE(LIFETIME_S, 8);
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (port: number | null): void => {
      clearTimeout(limit);
      socket.close();
      resolve(port);
    };
    const limit = setTimeout(() => done(null), TIMEOUT_MS);
    socket.once('error', () => done(null));
    socket.once('message', (reply) => {
      const isMapping = reply.length >= 16 && reply[1] === 128 + MAP_UDP && reply.readUInt16BE(2) === 0;
      done(isMapping ? reply.readUInt16BE(10) : null);
    });
    socket.send(request, PORT, gateway);
  });
}
