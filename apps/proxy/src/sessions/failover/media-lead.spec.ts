import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MediaLead } from './media-lead.js';

/** Media in real time from `from` to `to` (ms), a piece every 100 ms; returns the media received. */
function realTime(lead: MediaLead, from: number, to: number, media: number): number {
  for (let now = from; now <= to; now += 100) lead.observe(now, (media += now === from ? 0 : 100));
  return media;
}

describe('the lead of a source', () => {
  it('is what it has just sent faster than real time', () => {
    const lead = new MediaLead(5000, 300);
    lead.observe(6000, 800);
    expect(lead.ms).toBe(500);
    lead.observe(7000, 20_800);
    expect(lead.ms).toBe(20_000);
  });

  it('counts from the lowest point: a source that was late and catches up has a lead', () => {
    const lead = new MediaLead(0, 0);
    lead.observe(8000, 8000);
    expect(lead.ms).toBe(8000);
  });

  it('is at most one piece while the source sends in real time, and a burst is forgotten after 30 s', () => {
    const lead = new MediaLead(0, 0);
    expect(realTime(lead, 0, 60_000, 0)).toBe(60_000);
    expect(lead.ms).toBe(100);
    lead.observe(60_000, 70_000);
    const media = realTime(lead, 60_000, 70_000, 70_000);
    expect(lead.ms).toBe(10_100);
    realTime(lead, 70_000, 95_000, media);
    expect(lead.ms).toBe(100);
  });

  it('is never negative and never above 30 s, whatever the clock of the source says', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60_000), fc.nat(10_000_000))), (pieces) => {
        const lead = new MediaLead(0, 0);
        let [now, media] = [0, 0];
        for (const [gap, more] of pieces) {
          lead.observe((now += gap), (media += more));
          expect(lead.ms).toBeGreaterThanOrEqual(0);
          expect(lead.ms).toBeLessThanOrEqual(30_000);
        }
      }),
    );
  });
});
