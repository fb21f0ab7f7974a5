/** Viewers of stalled-viewers.mjs: some stop reading after their first bytes, the others record how long they wait for bytes. */
import net from 'node:net';

const WATCHES_BYTES = 100_000;

process.once('message', ({ port, path, viewers, stalled }) => {
  const scratch = Buffer.allocUnsafe(256 * 1024);
  let watching = 0;
  let measuring = false;
  /** Longest wait of each reading viewer, in milliseconds. */
  const longest = [];
  /** Time of the last bytes of each reading viewer. */
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
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
  process.on('message', (message) => {
    const now = performance.now();
    if (message === 'begin') {
      measuring = true;
      for (let viewer = stalled; viewer < viewers; viewer += 1) last[viewer] = now;
    }
    if (message === 'end') {
      // A viewer without bytes until now has waited until now.
      const waits = Array.from({ length: viewers - stalled }, (_, index) =>
        Math.max(longest[stalled + index] ?? 0, now - last[stalled + index]),
      );
      process.send({ type: 'waits', waits });
    }
  });
});
