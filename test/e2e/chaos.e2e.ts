import { describe, it } from 'vitest';
import { expectNoLossAndNoLeak } from '../chaos/chaos-verdict.js';
import { runChaos } from '../chaos/chaos.js';

const SEED = 5;

/** The short form of `npm run chaos`. */
describe(`random engine faults with seed ${SEED}`, () => {
  it('no viewer of fifty loses its stream, and no session, file or timer is left', async () => {
    expectNoLossAndNoLeak(await runChaos({ seed: SEED, faults: 15, viewers: 50, log: () => undefined }));
  });
});
