import { createLog } from '@acexy/service-kit';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedDocker, type ScriptedImage } from '../../../../../test/doubles/orchestrator/scripted-docker.js';
import { eventually } from '../../../../../test/doubles/orchestrator/test-orchestrator.js';
import { ImagePull, type ImagePolicy, type ImageState } from './image-pull.js';

const DENIED = '{"errorDetail":{"message":"unauthorized: authentication required"}}';
const EXTRACTING = '{"status":"Extracting","id":"a","progressDetail":{"current":3,"units":"s"}}';

describe('a pull of the engine image', () => {
  let docker: ScriptedDocker;
  let lines: string[];
  let prepared: number;

  beforeEach(async () => {
    docker = await ScriptedDocker.open();
    lines = [];
    prepared = 0;
  });
  afterEach(() => docker.close());

  /** The state after one attempt. */
  async function outcome(image: ScriptedImage, policy: ImagePolicy = 'missing'): Promise<ImageState> {
    docker.image = image;
    const log = createLog({ service: 'orchestrator', level: 'INFO', destination: { write: (line) => lines.push(line) } });
    const pull = new ImagePull(new Docker({ socketPath: docker.socketPath }), 'engine:1', policy, log, () => (prepared += 1));
    pull.begin();
    await eventually(
      () => pull.isRunning,
      (running) => !running,
    );
    await pull.close();
    return pull.status;
  }

  it('that ends with the image makes it present', async () => {
    expect(await outcome({ present: false, pull: [EXTRACTING], pulled: true })).toEqual({ state: 'present' });
    expect(prepared).toBe(1);
  });

  it('whose only sign of failure is errorDetail fails with its reason, in the log too', async () => {
    const state = await outcome({ present: false, pull: ['{"status":"Pulling fs layer","id":"a"}', EXTRACTING, DENIED], pulled: false });
    expect(state).toEqual({ state: 'missing', reason: 'unauthorized: authentication required' });
    expect(lines.join()).toContain('image pull failed');
    expect(lines.join()).toContain('unauthorized: authentication required');
    expect(prepared).toBe(0);
  });

  it('whose reply just ends is no success when the image is not there', async () => {
    const state = await outcome({ present: false, pull: [EXTRACTING], pulled: false });
    expect(state).toMatchObject({ state: 'missing', reason: expect.stringContaining('last report: Extracting') as string });
    expect(prepared).toBe(0);
  });

  it('whose connection breaks fails', async () => {
    const state = await outcome({ present: false, pull: [EXTRACTING], pulled: false, breaksOff: true });
    expect(state).toMatchObject({ state: 'missing', reason: expect.stringMatching(/aborted|hang up|reset/) as string });
  });

  it('that fails although a copy is local keeps the copy and says why it is not newer', async () => {
    const state = await outcome({ present: true, pull: [DENIED], pulled: false }, 'always');
    expect(state).toMatchObject({ state: 'present', reason: expect.stringContaining('unauthorized') as string });
    expect(prepared).toBe(1);
  });
});
