/** Viewers of fan-out.mjs: they read and discard. */
import net from 'node:net';

const received = [];
let marked = null;
let served = 0;

process.on('message', (message) => {
  if (message === 'mark') {
    if (marked === null) {
      marked = [...received];
      return;
    }
    const shares = received.map((bytes, index) => bytes - marked[index]);
    const sum = shares.reduce((total, share) => total + share, 0);
    process.send({ type: 'received', received: sum, least: Math.min(...shares), most: Math.max(...shares) });
    return;
  }
  const scratch = Buffer.allocUnsafe(256 * 1024);
  const total = message.streams * message.viewers;
  for (let viewer = 0; viewer < total; viewer += 1) {
    received.push(0);
    const socket = net.connect({
      port: message.port,
      host: '127.0.0.1',
      onread: {
        buffer: scratch,
        callback: (bytes) => {
          if (received[viewer] < 100_000 && received[viewer] + bytes >= 100_000 && ++served === total) process.send({ type: 'all-served' });
          received[viewer] += bytes;
          return true;
        },
      },
    });
    socket.on('error', () => undefined); // the server closes when it has measured enough
    socket.write(`GET /${viewer % message.streams} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
});
