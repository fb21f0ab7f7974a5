import { Setting, SettingsGroup } from '@acexy/service-kit';

const SLOW_CLIENT = ['skip', 'drop'] as const;
const NO_LIMIT = '0 for no limit';
const MOST_VIEWERS = 1_000_000;

/** How many may watch, and what becomes of those who do not keep up. */
@SettingsGroup('Viewers')
export class ViewerSettings {
  @Setting({
    name: 'ACEXY_MAX_VIEWERS',
    type: 'integer',
    min: 0,
    max: MOST_VIEWERS,
    default: '0',
    help: `Viewers of all streams at the same time, those of HLS among them; more get 503. ${NO_LIMIT}`,
  })
  maxViewers!: number;

  @Setting({
    name: 'ACEXY_MAX_VIEWERS_PER_STREAM',
    type: 'integer',
    min: 0,
    max: MOST_VIEWERS,
    default: '0',
    help: `Viewers of one stream at the same time; more get 503. ${NO_LIMIT}`,
  })
  maxViewersPerStream!: number;

  @Setting({
    name: 'ACEXY_SLOW_CLIENT',
    type: 'choice',
    choices: SLOW_CLIENT,
    default: 'skip',
    help: 'A viewer too slow for the stream: skips to a newer keyframe, or is dropped',
  })
  slowClient!: (typeof SLOW_CLIENT)[number];

  @Setting({
    name: 'ACEXY_MAX_SKIPS',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    default: '20',
    help: 'Skips after which a slow viewer is dropped',
  })
  maxSkips!: number;

  @Setting({
    name: 'ACEXY_CLIENT_STALL',
    type: 'duration',
    default: '10m',
    help: 'A viewer that has taken nothing for so long, paused or gone without a word, has its connection closed',
  })
  clientStallMs!: number;
}
