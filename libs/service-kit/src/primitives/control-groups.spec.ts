import { availableParallelism, totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableCores, memoryLimit } from './control-groups.js';

const GIB = 2 ** 30;
const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';
/** As a host with Docker and control groups of version 1 shows it. */
const VERSION_1 = '12:memory:/docker/3f1c\n11:cpu,cpuacct:/docker/3f1c\n1:name=systemd:/docker/3f1c\n0::/system.slice/containerd.service';
const VERSION_2 = '0::/system.slice/acexy.service';

type Files = Record<string, string>;
const of = (group: string, files: Files) => (file: string) => (file === '/proc/self/cgroup' ? group : (files[file] ?? null));

describe('the memory that the process may use', () => {
  const memory = (group: string, files: Files): number => memoryLimit(8 * GIB, of(group, files)) / GIB;

  it('is that of the container, which sees its group as the root: version 2', () => {
    expect(memory('0::/', { [`${V2}/memory.max`]: '2147483648', [`${V2}/memory.high`]: 'max' })).toBe(2);
  });

  it('is that of the container, which sees its group as the root but the path of the host: version 1', () => {
    expect(memory(VERSION_1, { [`${V1}/memory.limit_in_bytes`]: '536870912' })).toBe(0.5);
  });

  it('is the least of its group and those above it', () => {
    const slice = { [`${V2}/system.slice/memory.max`]: '1073741824', [`${V2}/system.slice/acexy.service/memory.max`]: 'max' };
    expect(memory(VERSION_2, slice)).toBe(1);
    expect(memory(VERSION_2, { ...slice, [`${V2}/system.slice/acexy.service/memory.high`]: '536870912' })).toBe(0.5);
    const docker = {
      [`${V1}/docker/3f1c/memory.limit_in_bytes`]: '9223372036854771712',
      [`${V1}/docker/memory.limit_in_bytes`]: '4294967296',
    };
    expect(memory(VERSION_1, docker)).toBe(4);
  });

  it('is that of the machine without a limit, or with a larger one', () => {
    expect(memory('0::/', { [`${V2}/memory.max`]: 'max' })).toBe(8);
    expect(memory('0::/../..', { [`${V2}/memory.max`]: '68719476736' })).toBe(8);
    expect(memory(VERSION_1, { [`${V1}/memory.limit_in_bytes`]: '9223372036854771712' })).toBe(8);
    expect(memoryLimit(8 * GIB, () => null)).toBe(8 * GIB);
  });

  it('is known on this machine', () => {
    expect(memoryLimit()).toBeGreaterThan(64 * 2 ** 20);
    expect(memoryLimit()).toBeLessThanOrEqual(totalmem());
  });
});

describe('the available cores', () => {
  const cores = (group: string, files: Files): number => availableCores(8, of(group, files));
  const quota = (us: string): Files => ({ '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': us, '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' });

  it('are those of the machine when the container has no quota', () => {
    expect([cores('', {}), cores('0::/', { [`${V2}/cpu.max`]: 'max 100000' }), cores(VERSION_1, quota('-1'))]).toEqual([8, 8, 8]);
  });

  it('are the whole cores of the quota of the container, at least one', () => {
    const max = (text: string): number => cores('0::/', { [`${V2}/cpu.max`]: text });
    expect([max('250000 100000'), max('50000 100000'), max('9900000 100000')]).toEqual([2, 1, 8]);
    expect(cores(VERSION_1, quota('300000'))).toBe(3);
  });

  it('are those of the smallest quota of its group and those above it', () => {
    expect(
      cores(VERSION_2, { [`${V2}/system.slice/cpu.max`]: '200000 100000', [`${V2}/system.slice/acexy.service/cpu.max`]: '400000 100000' }),
    ).toBe(2);
  });

  it('are at least one on this machine', () => {
    expect(availableCores()).toBeGreaterThanOrEqual(1);
    expect(availableCores()).toBeLessThanOrEqual(availableParallelism());
  });
});
