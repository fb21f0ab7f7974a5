import { EventEmitter } from 'node:events';
import { Channel, type ChannelEnd } from '../../../apps/proxy/src/workers/channel.js';

/** One end of a connection between two processes: what is sent here arrives as JSON at the other end, in a later turn. */
class End extends EventEmitter {
  other!: End;
  connected = true;

  send(message: unknown, socket: unknown, _options: object, done: (error: Error | null) => void): boolean {
    const text = JSON.stringify(message);
    setImmediate(() => {
      if (this.connected) this.other.emit('message', JSON.parse(text), socket);
      done(this.connected ? null : new Error('the channel is closed'));
    });
    return true;
  }

  disconnect(): void {
    for (const end of [this, this.other]) {
      end.connected = false;
      end.emit('disconnect');
    }
  }
}

/** The channels of a front and one worker, and what happens when the worker ends. */
export function channelPair(): { front: Channel; worker: Channel; frontEnd: ChannelEnd; end: () => void } {
  const [frontEnd, workerEnd] = [new End(), new End()];
  frontEnd.other = workerEnd;
  workerEnd.other = frontEnd;
  const ends = [frontEnd, workerEnd] as unknown as ChannelEnd[];
  return { front: new Channel(ends[0]), worker: new Channel(ends[1]), frontEnd: ends[0], end: () => workerEnd.disconnect() };
}

/** Lets everything that was sent arrive, answers included. */
export async function delivered(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
