/**
 * Behind the tunnel: an address that answers HTTP, and a gateway that forwards one port by NAT-PMP (RFC 6886), as providers with port forwarding do.
 * /run/forwarded-port changes the port.
 */
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const ADDRESS = '10.2.0.1';
const PORT_FILE = '/run/forwarded-port';
const startedAt = Date.now();
const forwardedPort = () => (existsSync(PORT_FILE) ? Number(readFileSync(PORT_FILE, 'utf8')) : 51_413);

createServer((_, response) => response.end('behind the tunnel\n')).listen(80, ADDRESS);

const gateway = createSocket('udp4');
gateway.on('message', (request, { port, address }) => {
  const operation = request[1];
  // 0: the public address; 1 and 2: a port for UDP or TCP.
  const reply = Buffer.alloc(operation === 0 ? 12 : 16);
  reply[1] = 128 + operation;
  reply.writeUInt32BE(Math.floor((Date.now() - startedAt) / 1000), 4);
  if (operation === 0) reply.set([203, 0, 113, 7], 8);
  else if ((operation === 1 || operation === 2) && request.length >= 12) {
    reply.writeUInt16BE(request.readUInt16BE(4), 8);
    reply.writeUInt16BE(forwardedPort(), 10);
    reply.writeUInt32BE(request.readUInt32BE(8), 12);
  } else return;
  gateway.send(reply, port, address);
});
gateway.bind(5351, ADDRESS);
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
