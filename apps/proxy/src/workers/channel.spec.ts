import { describe, expect, it } from 'vitest';
import { channelPair, delivered } from '../../../../test/doubles/proxy/channel.fixture.js';

describe('the channel between the front and a worker', () => {
  it('carries notices in order, and answers to questions in both directions', async () => {
    const { front, worker } = channelPair();
    const heard: unknown[] = [];
    worker.onNotice('order', (body: number) => heard.push(body));
    worker.onQuestion('double', async (body: number) => body * 2);
    front.onQuestion('name', () => 'front');
    for (const number of [1, 2, 3]) front.notify('order', number);
    expect(await Promise.all([front.ask('double', 21), worker.ask('name')])).toEqual([42, 'front']);
    expect(heard).toEqual([1, 2, 3]);
  });

  it('answers a question that failed or that nobody answers with the reason', async () => {
    const { front, worker } = channelPair();
    worker.onQuestion('fails', () => Promise.reject(new Error('no such stream')));
    await expect(front.ask('fails')).rejects.toThrow('no such stream');
    await expect(front.ask('unknown')).rejects.toThrow('no handler for the question "unknown"');
  });

  it('fails every open question when the other process ends, and later ones at once', async () => {
    const { front, worker, end } = channelPair();
    worker.onQuestion('slow', () => new Promise(() => undefined));
    const open = front.ask('slow');
    await delivered();
    end();
    await expect(open).rejects.toThrow('the other process has ended');
    await expect(front.ask('slow')).rejects.toThrow('the other process has ended');
    expect(() => front.notify('order')).not.toThrow();
  });

  it('ignores a notice that nobody listens to', async () => {
    const { front } = channelPair();
    front.notify('unknown');
    await delivered();
  });
});
