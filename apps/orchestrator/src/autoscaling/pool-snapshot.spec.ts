import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { EngineRegistry } from '../engines/engine-registry.js';
import { EngineClaimBook } from '../leases/engine-claims.js';
import type { LeaseService } from '../leases/lease.service.js';
import type { ManualMinimum } from './manual-minimum.js';
import type { ProvisioningService } from '../provisioning/provisioning.service.js';
import type { PoolSettings } from '../engines/pool-settings.js';
import { PoolSnapshotService } from './pool-snapshot.service.js';

const GRACE_MS = 300;

function snapshotsOfAnEmptyPool(clock: FakeClock): PoolSnapshotService {
  return new PoolSnapshotService(
    new EngineRegistry(clock),
    { waitingCount: 0 } as LeaseService,
    new EngineClaimBook(),
    { value: null } as ManualMinimum,
    { engineCount: () => 0, pending: 0, revocable: 0 } as ProvisioningService,
    { minReplicas: 0, autoDelete: true, engineGracePeriodMs: GRACE_MS } as PoolSettings,
    { engines: 9 },
    clock,
  );
}

describe('the pool snapshot', () => {
  it('counts due times from the snapshot, so that what becomes due between snapshot and decision is not missed on a slow machine', () => {
    const clock = new FakeClock();
    const snapshots = snapshotsOfAnEmptyPool(clock);
    snapshots.recordTarget(4);
    snapshots.recordTarget(1);
    clock.advance(GRACE_MS - 1);
    const pool = snapshots.take(0);
    expect(pool.recentPeak).toBe(4);
    snapshots.recordTarget(1);
    clock.advance(5);
    expect(snapshots.dueTimes(pool)).toEqual([1]);
    expect(snapshots.take(0).recentPeak).toBe(1);
  });
});
