/** Engine of fan-out.mjs: sends a generated stream in real time. Runs in its own process, so that nothing delays it. */
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { PACKET_SIZE, buildPat, buildPmt, packetizeSection } from '@acexy/mpegts';

const PMT_PID = 0x1000;
const VIDEO_PID = 0x100;
const FRAMES_PER_SECOND = 25;
const TICK_MS = 2;

/** One second of stream: a keyframe at the start, tables before each frame, a clock. */
function second(bytesPerSecond) {
  const perFrame = Math.floor(bytesPerSecond / FRAMES_PER_SECOND / PACKET_SIZE) - 2;
  const program = { programNumber: 1, version: 0, pcrPid: VIDEO_PID, descriptors: new Uint8Array() };
  const tables = [
    packetizeSection(buildPat({ programNumber: 1, pmtPid: PMT_PID, version: 0, transportStreamId: 1 })),
    packetizeSection(buildPmt({ ...program, streams: [{ pid: VIDEO_PID, streamType: 0x1b, descriptors: new Uint8Array() }] }), PMT_PID),
  ];
  const frames = [];
  for (let frame = 0; frame < FRAMES_PER_SECOND; frame += 1) {
    const video = Buffer.alloc(perFrame * PACKET_SIZE, 0xa5);
    for (let at = 0; at < video.length; at += PACKET_SIZE) video.set([0x47, VIDEO_PID >> 8, VIDEO_PID & 0xff, 0x10], at);
    const head = [0, 0, 1, 0xe0, 0, 0, 0x84, 0x80, 5, 0x21, 0, 1, 0, 1, 0, 0, 1, 9, 0xf0, 0, 0, 1, frame === 0 ? 0x65 : 0x41];
    video.set([0x47, 0x40 | (VIDEO_PID >> 8), VIDEO_PID & 0xff, 0x10, ...head]);
    frames.push(...tables, video);
  }
  return Buffer.concat(frames);
}

/** Writes pieces of `arrivalBytes` in real time. Each piece is one HTTP chunk, as from an engine. */
function play(response, bytesPerSecond, arrivalBytes) {
  const once = second(bytesPerSecond);
  /** The beginning is repeated at the end, so that every piece is contiguous. */
  const stream = Buffer.concat([once, once.subarray(0, arrivalBytes)]);
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / 1000) * bytesPerSecond);
    while (sent + arrivalBytes <= due) {
      const from = sent % once.length;
      response.write(stream.subarray(from, from + arrivalBytes));
      sent += arrivalBytes;
    }
  }, TICK_MS);
  response.on('close', () => clearInterval(timer));
}

process.on('message', ({ bytesPerSecond, arrivalBytes }) => {
  const server = http.createServer((request, response) => {
    request.socket.setNoDelay(true);
    response.writeHead(200, { 'Content-Type': 'video/mp2t' });
    play(response, bytesPerSecond, arrivalBytes);
  });
  server.listen(0, '127.0.0.1', () => process.send({ type: 'listening', port: server.address().port }));
});
