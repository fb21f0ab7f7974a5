import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { maxSocketBytes, memoryPlan } from './memory-plan.js';

const MIB = 2 ** 20;
const FACTS = { memoryBytes: 2048 * MIB, workers: 1, chunkBytes: MIB / 4, socketBytes: 4 * MIB };

describe('the memory of the proxy', () => {
  it.each([
    [64 * 1024, 512],
    [2048, 512],
    [1024, 256],
    [256, 64],
  ])('of %i MiB leaves %i MiB for stream buffers by default', (memory, expected) => {
    expect(memoryPlan({ ...FACTS, memoryBytes: memory * MIB }).bufferBytes).toBe(expected * MIB);
  });

  it('has as many bytes for stream buffers as ACEXY_BUFFER_TOTAL_MAX says', () => {
    expect(memoryPlan({ ...FACTS, totalBytes: 1024 * MIB }).bufferBytes).toBe(1024 * MIB);
  });

  it('is divided among the workers, after the part of the front and of the spare process', () => {
    const { bufferBytes, memoryBytes, maxStalledViewers } = memoryPlan({ ...FACTS, workers: 2 });
    expect([bufferBytes, memoryBytes]).toEqual([256 * MIB, 924 * MIB]);
    expect(maxStalledViewers).toBe(Math.floor((924 - 256 - 200 - 64) / 4.5));
  });

  it('leaves the rest for stalled viewers: fewer if the kernel queues more for each', () => {
    expect(memoryPlan(FACTS).maxStalledViewers).toBe(268);
    expect(memoryPlan({ ...FACTS, socketBytes: MIB }).maxStalledViewers).toBe(805);
    expect(memoryPlan({ ...FACTS, memoryBytes: 256 * MIB }).maxStalledViewers).toBe(10);
  });

  it('suffices for buffers, process and stalled viewers together, unless it is said to be too small', () => {
    fc.assert(
      fc.property(fc.integer({ min: 128, max: 65_536 }), fc.integer({ min: 16, max: 4096 }), (memory, total) => {
        const plan = memoryPlan({ ...FACTS, memoryBytes: memory * MIB, totalBytes: total * MIB });
        const stalled = plan.maxStalledViewers * (FACTS.socketBytes + MIB / 2);
        const all = plan.bufferBytes * 1.25 + 200 * MIB + stalled;
        expect(all <= plan.memoryBytes || plan.neededBytes > plan.memoryBytes).toBe(true);
      }),
    );
  });

  it('reads from the kernel how much it queues for a connection, and assumes 4 MiB where it cannot', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tcp-wmem-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'tcp_wmem');
    writeFileSync(file, '4096\t16384\t1048576\n');
    expect(maxSocketBytes(file)).toBe(MIB);
    writeFileSync(file, 'unknown\n');
    expect(maxSocketBytes(file)).toBe(4 * MIB);
    expect(maxSocketBytes(join(folder, 'missing'))).toBe(4 * MIB);
  });
});
