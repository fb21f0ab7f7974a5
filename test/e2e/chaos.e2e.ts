import { describe, it } from 'vitest';
import { expectNothingLostOrLeft } from '../chaos/chaos-verdict.js';
import { runChaos } from '../chaos/chaos.js';

const SEED = 5;

/** The short form of `npm run chaos`. */
describe(`random faults with seed ${SEED}`, () => {
  it('take the stream from none of fifty viewers, and leave no session, file or timer behind', async () => {
    expectNothingLostOrLeft(await runChaos({ seed: SEED, faults: 15, viewers: 50, log: () => undefined }));
  });
});
