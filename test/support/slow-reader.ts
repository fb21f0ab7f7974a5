import type { Viewer } from './viewer.js';

/** Lets a viewer take `bytes` of its stream every `everyMs` and no more, until the interval is cleared. */
export function readSlowly(viewer: Viewer, bytes: number, everyMs: number): NodeJS.Timeout {
  const { response } = viewer;
  let enough = 0;
  response.on('data', () => {
    if (viewer.bytes >= enough) response.pause();
  });
  return setInterval(() => {
    enough = viewer.bytes + bytes;
    response.resume();
  }, everyMs);
}
