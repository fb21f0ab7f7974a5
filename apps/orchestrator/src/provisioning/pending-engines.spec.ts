import type { EngineState, ScalingDecisionRecord } from '@acexy/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AUTH,
  eventually,
  leaseRequest,
  ListeningEngines,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import type { EngineInstance, EngineSpec } from '../runtime/engine-runtime.js';

/** A busy daemon: engines run and are listed, but their starts return only when `answer` is called. */
class LateAnswers extends ListeningEngines {
  answer!: () => void;
  private readonly answered = new Promise<void>((resolve) => (this.answer = resolve));

  override async start(spec: EngineSpec, signal: AbortSignal): Promise<EngineInstance> {
    const instance = await super.start(spec, signal);
    await this.answered;
    return instance;
  }
}

describe('engines that are listed before their start returns', () => {
  let orchestrator: TestOrchestrator;
  afterEach(() => orchestrator.close());

  it('count once: no needed start is revoked, and no surplus engine is started', async () => {
    const runtime = new LateAnswers();
    orchestrator = await startOrchestrator({ runtime, env: { MIN_REPLICAS: '0', MAX_CONCURRENT_PROVISIONS: '2' } });
    const { http } = orchestrator;
    const decisions = async (): Promise<ScalingDecisionRecord[]> =>
      (await http.get('/autoscaler/decisions').set(AUTH)).body as ScalingDecisionRecord[];
    const callers = Promise.all(Array.from({ length: 6 }, () => http.post('/engines/lease').set(AUTH).send(leaseRequest())));
    const done = callers.then((answers) => answers.map(({ status }) => status));
    const [latest] = await eventually(decisions, ([newest]) => newest?.inputs.busy === 2 && newest.inputs.pending === 4);
    expect(latest.inputs).toMatchObject({ total: 6, busy: 2, pending: 4, waiting: 4 });
    runtime.answer();
    expect(await done).toEqual(Array(6).fill(200));
    expect((await decisions()).filter(({ revoked }) => revoked > 0)).toEqual([]);
    expect(runtime.startCalls).toHaveLength(6);
    expect((await http.get('/engines?state=all')).body as EngineState[]).toHaveLength(6);
  });
});
