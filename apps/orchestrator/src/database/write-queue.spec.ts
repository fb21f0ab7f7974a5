import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG } from '@acexy/service-kit';
import Database from 'better-sqlite3';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from './open-database.js';
import { WRITE_QUEUE_LIMITS, WriteQueue, WriteQueueClosedError, WriteQueueFullError, type WriteQueueLimits } from './write-queue.js';

let folder: string;
let dataSource: DataSource;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-queue-'));
  dataSource = await openDatabase(join(folder, 'o.db'));
  await dataSource.query('CREATE TABLE notes (text TEXT NOT NULL UNIQUE)');
});

afterEach(async () => {
  await dataSource.destroy();
  await rm(folder, { recursive: true, force: true });
});

function make(limits: Partial<WriteQueueLimits> = {}): WriteQueue {
  return new WriteQueue(dataSource, SILENT_LOG, { ...WRITE_QUEUE_LIMITS, ...limits });
}

function note(text: string | null) {
  return (manager: EntityManager) => manager.query('INSERT INTO notes VALUES (?)', [text]);
}

async function notes(): Promise<string[]> {
  return ((await dataSource.query('SELECT text FROM notes ORDER BY rowid')) as { text: string }[]).map(({ text }) => text);
}

/** Number of committed transactions. */
function countCommits(): () => number {
  const query = vi.spyOn(dataSource.createQueryRunner(), 'query');
  return () => query.mock.calls.filter(([sql]) => sql === 'COMMIT').length;
}

describe('the write queue', () => {
  it('resolves after the commit, so that another connection sees it', async () => {
    await make().write(note('a'));
    const other = new Database(join(folder, 'o.db'), { readonly: true });
    expect(other.prepare('SELECT text FROM notes').all()).toEqual([{ text: 'a' }]);
    other.close();
  });

  it('commits simultaneous writes together, in order', async () => {
    const commits = countCommits();
    const queue = make();
    const texts = Array.from({ length: 250 }, (_, count) => `n${count}`);
    await Promise.all(texts.map((text) => queue.write(note(text))));
    expect(await notes()).toEqual(texts);
    expect(commits()).toBe(3);
  });

  it('waits at most its gathering time for other writes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const queue = make();
      const written = queue.write(note('a'));
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(10);
      await written;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('rejects the one invalid write, and commits the others of its batch', async () => {
    const queue = make();
    const outcomes = await Promise.allSettled([
      queue.write(note('a')),
      queue.write(note(null)),
      queue.write(note('b')),
      queue.write(note('a')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(await notes()).toEqual(['a', 'b']);
  });

  it('waits while another process locks the database, without blocking the event loop', async () => {
    const other = new Database(join(folder, 'o.db'));
    other.exec('BEGIN IMMEDIATE');
    // A write that blocked the event loop would end with an error, because these timers would never end the lock.
    let turns = 0;
    const turn = setInterval(() => {
      turns += 1;
      if (turns === 20) other.exec('COMMIT');
    }, 5);
    await make({ busyBudgetMs: 30_000 }).write(note('a'));
    clearInterval(turn);
    other.close();
    expect(turns).toBeGreaterThanOrEqual(20);
    expect(await notes()).toEqual(['a']);
  });

  it('gives up when the database stays locked beyond the budget, and continues with the next write', async () => {
    const other = new Database(join(folder, 'o.db'));
    other.exec('BEGIN IMMEDIATE');
    const queue = make({ busyBudgetMs: 100 });
    await expect(queue.write(note('a'))).rejects.toThrow(/locked/);
    other.exec('COMMIT');
    other.close();
    await queue.write(note('b'));
    expect(await notes()).toEqual(['b']);
  });

  it('is bounded', async () => {
    const queue = make({ maxWaiting: 2 });
    const first = [queue.write(note('a')), queue.write(note('b'))];
    await expect(queue.write(note('c'))).rejects.toBeInstanceOf(WriteQueueFullError);
    await Promise.all(first);
    expect(await notes()).toEqual(['a', 'b']);
  });

  it('commits all waiting writes before it closes, and then accepts no more', async () => {
    const queue = make({ gatherMs: 60_000 });
    const written = queue.write(note('a'));
    await queue.close();
    await written;
    expect(await notes()).toEqual(['a']);
    await expect(queue.write(note('b'))).rejects.toBeInstanceOf(WriteQueueClosedError);
  });

  it('loses no write that comes at the moment when the queue becomes empty', async () => {
    const queue = make();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, count) => queue.write(note(`${round}-${count}`))));
    }
    expect(await notes()).toHaveLength(2000);
  });

  it('commits writes that come during a commit', async () => {
    const queue = make({ batchSize: 1 });
    const first = queue.write(async (manager) => {
      await manager.query(`INSERT INTO notes VALUES ('a')`);
      inner = queue.write(note('b'));
    });
    let inner: Promise<void> | undefined;
    await first;
    await inner;
    expect(await notes()).toEqual(['a', 'b']);
  });
});
