import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LoopCache } from './broadcasts.js';
import { GROUP_MS } from './layout.js';
import { Timeline } from './timeline.js';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

// A real decoder checks the stream; without one, only the packet tests in this folder run.
describe.skipIf(!hasFfmpeg)('ffmpeg', () => {
  it.each([500_000, 3_500_000])(
    'decodes 60 s over three loop boundaries at %i bit/s without a warning',
    { timeout: 60_000 },
    async (bitrate) => {
      const timeline = new Timeline(new LoopCache().loop(bitrate, 'picture'), '0'.repeat(40));
      const group = Math.floor(Date.UTC(2026, 1, 1) / GROUP_MS);
      const ffmpeg = spawn('ffmpeg', ['-hide_banner', '-nostdin', '-v', 'warning', '-i', 'pipe:0', '-map', '0', '-f', 'framecrc', '-']);
      let warnings = '';
      let frames = 0;
      ffmpeg.stderr.on('data', (text: Buffer) => (warnings += text.toString()));
      ffmpeg.stdout.on('data', (text: Buffer) => (frames += text.toString().split('\n').length - 1));
      const closed = once(ffmpeg, 'close');
      for (let index = 0; index < 32; index += 1) {
        const from = timeline.groupStart(group + index);
        if (!ffmpeg.stdin.write(timeline.read(from, timeline.groupStart(group + index + 1) - from))) await once(ffmpeg.stdin, 'drain');
      }
      ffmpeg.stdin.end();
      await closed;
      expect(warnings).toBe('');
      // 32 groups of 48 pictures and 90 audio frames, without what the decoder skips at its start.
      expect(frames).toBeGreaterThan(32 * (48 + 90) - 20);
    },
  );
});
