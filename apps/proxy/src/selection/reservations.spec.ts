import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/doubles/fake-clock.js';
import { Reservations } from './reservations.js';

const content = { keyType: 'content_id', key: 'a'.repeat(40), infohash: null } as const;

describe('reservations', () => {
  it('remember an own stream for one minute after its end', async () => {
    const clock = new FakeClock();
    const reservations = new Reservations(clock);
    const playing = reservations.reserve('e0', 'playing', content);
    for (let count = 0; count < 1000; count++) {
      reservations.reserve('e1', `stream-${count}`, content)();
      await clock.advanceAndSettle(10_000);
    }
    expect(reservations.remembered).toBeLessThan(10);
    expect([reservations.isOurs('stream-999'), reservations.isOurs('stream-900'), reservations.isOurs('playing')]).toEqual([
      true,
      false,
      true,
    ]);
    playing();
    await clock.advanceAndSettle(60_000);
    expect([reservations.isOurs('playing'), reservations.remembered]).toEqual([false, 0]);
  });
});
