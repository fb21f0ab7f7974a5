/** The engines of a worker: the front leases them, so that all workers are one proxy for the orchestrator. */
import { type Clock, orAborted } from '@acexy/service-kit/primitives';
import { EngineSelector, type LeasedEngine, NoEngineError, type SelectRequest } from '../selection/engine-selector.js';
import type { Channel } from './channel.js';
import { ASK_FRONT, type GrantedEngine, type RefusedEngine, type SelectOrder, TO_FRONT, TO_WORKER } from './protocol.js';

const RETRY_S = 5;

export class FrontSelector extends EngineSelector {
  private readonly waiting = new Map<number, SelectRequest>();
  private readonly numbers = new WeakMap<LeasedEngine, number>();
  private lastId = 0;

  constructor(
    private readonly channel: Channel,
    private readonly clock: Clock,
  ) {
    super();
    channel.onNotice(TO_WORKER.noneFree, (id: number) => void this.waiting.get(id)?.onNoneFree());
  }

  async select(request: SelectRequest): Promise<LeasedEngine> {
    request.signal.throwIfAborted();
    this.lastId += 1;
    const id = this.lastId;
    this.waiting.set(id, request);
    const answer = this.ask(id, request);
    try {
      return await orAborted(answer, request.signal);
    } catch (error) {
      if (request.signal.aborted) {
        this.channel.notify(TO_FRONT.cancelSelect, id);
        // The answer may be on its way.
        answer.then(
          (late) => (late === request.standby ? undefined : late.release()),
          () => undefined,
        );
      }
      throw error;
    } finally {
      this.waiting.delete(id);
    }
  }

  private async ask(id: number, { streamId, content, exclude, purpose, standby, deadline }: SelectRequest): Promise<LeasedEngine> {
    const order: SelectOrder = {
      id,
      streamId,
      content,
      exclude,
      purpose,
      standby: (standby && this.numbers.get(standby)) ?? null,
      leftMs: deadline - this.clock.now(),
    };
    const answer = await this.channel.ask<GrantedEngine | RefusedEngine>(ASK_FRONT.select, order).catch((error: Error) => {
      throw new NoEngineError(error.message, RETRY_S, { cause: error });
    });
    if (answer.kind === 'refused') throw new NoEngineError(answer.reason, answer.retryAfterSeconds);
    return standby && answer.lease === order.standby ? standby : this.leased(answer);
  }

  private leased({ lease, engine: { host, port, ...engine } }: GrantedEngine): LeasedEngine {
    // The front releases the engines of a worker that has ended, and its own when it ends.
    const release = (): Promise<void> => this.channel.ask<void>(ASK_FRONT.release, lease).catch(() => undefined);
    const leased = { ...engine, address: { host, port }, release };
    this.numbers.set(leased, lease);
    return leased;
  }
}
