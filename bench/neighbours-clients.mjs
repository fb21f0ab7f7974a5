/** The viewers of neighbours.mjs: some stop reading for good once they watch, the others note how long they wait for bytes. */
import net from 'node:net';

const WATCHES_BYTES = 100_000;

process.on('message', ({ port, viewers, stalled }) => {
  const scratch = Buffer.allocUnsafe(256 * 1024);
  let watching = 0;
  let measuring = false;
  /** Milliseconds that each of those who read has waited longest. */
  const longest = [];
  /** When each of them last had bytes. */
  const last = [];
  for (let viewer = 0; viewer < viewers; viewer += 1) {
    let received = 0;
    const stalls = viewer < stalled;
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: scratch,
        callback: (bytes) => {
          const now = performance.now();
          if (measuring && !stalls) longest[viewer] = Math.max(longest[viewer] ?? 0, now - last[viewer]);
          last[viewer] = now;
          const watched = received >= WATCHES_BYTES;
          received += bytes;
          if (!watched && received >= WATCHES_BYTES && ++watching === viewers) process.send({ type: 'all-served' });
          if (stalls && received >= WATCHES_BYTES) {
            socket.pause();
            return false;
          }
          return true;
        },
      },
    });
    socket.on('error', () => undefined); // the server closes when it has measured enough
    socket.write('GET /0 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  }
  process.on('message', (message) => {
    const now = performance.now();
    if (message === 'begin') {
      measuring = true;
      for (let viewer = stalled; viewer < viewers; viewer += 1) last[viewer] = now;
    }
    if (message === 'end') {
      // Whoever has had nothing until now has waited until now.
      const waits = Array.from({ length: viewers - stalled }, (_, index) =>
        Math.max(longest[stalled + index] ?? 0, now - last[stalled + index]),
      );
      process.send({ type: 'waits', waits });
    }
  });
});
