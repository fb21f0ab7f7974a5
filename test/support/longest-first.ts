import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** End-to-end test files that take more than about 20 s, the longest first. */
const LONGEST = [
  ...['failover', 'seed-guide', 'docker-daemon', 'players', 'player-compatibility', 'hls', 'docker-chaos', 'nest-build'],
  ...['browser', 'workers', 'channel-zapping', 'standby-engine', 'playback'],
];

/** Starts the longest files first, so that no worker still has a long one when the others have finished. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/e2e/${name}.e2e.ts`));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
