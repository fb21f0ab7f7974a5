import type { ProxyReport, ReportedSession } from '@acexy/contracts';
import { describe, expect, it } from 'vitest';
import { ProxyLedger, SILENCE_MS } from './proxy-ledger.js';

function report(bootId: string, seq: number, ...streamIds: string[]): ProxyReport {
  return { boot_id: bootId, seq, sessions: streamIds.map((stream_id) => ({ stream_id }) as ReportedSession), ended: [] };
}

describe('the ledger of proxies', () => {
  it('reports which streams a proxy no longer lists', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 1, 's1', 's2'), 0);
    expect(ledger.hear('p', report('b1', 2, 's2', 's3'), 0)).toMatchObject({ kind: 'taken', dropped: ['s1'], rebooted: false });
  });

  it('ignores an older report of the same boot and answers with the newest sequence number; a repeated report is accepted', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 5, 's1'), 0);
    expect(ledger.hear('p', report('b1', 4), 0)).toEqual({ kind: 'stale', seq: 5 });
    expect(ledger.hear('p', report('b1', 5, 's1'), 0)).toMatchObject({ kind: 'taken', dropped: [] });
  });

  it('another boot replaces the earlier one, whose late reports are ignored', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 9, 's1'), 0);
    expect(ledger.hear('p', report('b2', 1, 's2'), 0)).toMatchObject({ kind: 'taken', seq: 1, dropped: ['s1'], rebooted: true });
    expect(ledger.hear('p', report('b1', 10, 's1'), 0)).toMatchObject({ kind: 'stale' });
    expect(ledger.hear('p', report('b2', 2), 0)).toMatchObject({ kind: 'taken', dropped: ['s2'] });
  });

  it('a proxy falls silent after 15 s, once, until it reports again', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 1, 's1'), 0);
    expect(ledger.fallenSilent(SILENCE_MS - 1)).toEqual([]);
    expect(ledger.fallenSilent(SILENCE_MS)).toEqual([{ proxyId: 'p', sessions: ['s1'] }]);
    expect(ledger.fallenSilent(SILENCE_MS + 1)).toEqual([]);
    ledger.hear('p', report('b1', 2, 's1'), SILENCE_MS + 2);
    expect(ledger.fallenSilent(2 * SILENCE_MS + 2)).toHaveLength(1);
  });

  it('waits for the proxies known from before the start until each has reported or fallen silent', () => {
    const ledger = new ProxyLedger();
    ledger.expect('p1', 's1', 0);
    ledger.expect('p2', 's2', 0);
    expect(ledger.awaitsAny).toBe(true);
    expect(ledger.hear('p1', report('b', 1, 's1'), 1)).toMatchObject({ rebooted: false, dropped: [] });
    expect(ledger.awaitsAny).toBe(true);
    ledger.fallenSilent(SILENCE_MS);
    expect(ledger.awaitsAny).toBe(false);
  });

  it('forgets a proxy that sent no report for an hour', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 7), 0);
    ledger.fallenSilent(3_600_000);
    expect(ledger.hear('p', report('b1', 1), 3_600_001)).toMatchObject({ kind: 'taken' });
  });

  it('a boot that reports twice after it was replaced is a proxy whose id was copied: it keeps the id, the later one is told to replace it', () => {
    const ledger = new ProxyLedger();
    ledger.hear('p', report('b1', 9, 's1'), 0);
    ledger.hear('p', report('b2', 1, 's2'), 0);
    expect(ledger.hear('p', report('b1', 10, 's1'), 2000)).toMatchObject({ kind: 'stale' });
    expect(ledger.hear('p', report('b1', 10, 's1'), 2100)).toMatchObject({ kind: 'stale' });
    const detected = ledger.hear('p', report('b1', 11, 's1'), 4000);
    expect(detected).toMatchObject({ kind: 'taken', rebooted: false, dropped: [], copied: true, detected: true });
    expect(ledger.hear('p', report('b2', 2, 's2'), 4100)).toEqual({ kind: 'copy', seq: 2 });
    expect(ledger.hear('p', report('b1', 12, 's1'), 6000)).toMatchObject({ kind: 'taken', dropped: [], copied: true, detected: false });
    expect(ledger.hear('p', report('b1', 13, 's1'), 10_000)).toMatchObject({ kind: 'taken', dropped: ['s2'], copied: false });
  });
});
