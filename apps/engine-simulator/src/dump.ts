/**
 * Writes a piece of a content's timeline to standard output, faster than real time: `node dist/dump.js SECONDS [BITRATE] [FROM_UNIX_MS] [INFOHASH]`.
 * It begins and ends with whole groups of pictures. For checks with ffprobe and ffmpeg; the loop's seam comes every 19.2 s.
 */
import { once } from 'node:events';
import { LoopLibrary } from './media/broadcasts.js';
import { GROUP_MS } from './media/layout.js';
import { Timeline } from './media/timeline.js';

const [seconds = '60', bitrate = '3500000', from = String(Date.now()), infohash = '0'.repeat(40)] = process.argv.slice(2);
const timeline = new Timeline(new LoopLibrary().loop(Number(bitrate), 'picture'), infohash);
const firstGroup = Math.floor(Number(from) / GROUP_MS);
const end = timeline.groupStart(firstGroup + Math.ceil((Number(seconds) * 1000) / GROUP_MS));
const step = 5000;
for (let n = timeline.groupStart(firstGroup); n < end; n += step) {
  if (!process.stdout.write(timeline.read(n, Math.min(step, end - n)))) await once(process.stdout, 'drain');
}
