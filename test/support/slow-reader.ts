import type { Viewer } from './viewer.js';

/** Makes a viewer read at most `bytes` per `everyMs`, until the returned interval is cleared. */
export function readSlowly(viewer: Viewer, bytes: number, everyMs: number): NodeJS.Timeout {
  const { response } = viewer;
  let limit = 0;
  response.on('data', () => {
    if (viewer.bytes >= limit) response.pause();
  });
  return setInterval(() => {
    limit = viewer.bytes + bytes;
    response.resume();
  }, everyMs);
}
