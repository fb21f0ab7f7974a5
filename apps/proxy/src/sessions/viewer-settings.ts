import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

const SLOW_CLIENT = ['skip', 'drop'] as const;
const NO_LIMIT = '0: no limit';
const MAX_VIEWERS = 1_000_000;

/** How many viewers there may be, and what happens to those that are too slow or leave. */
@SettingsGroup('Viewers')
export class ViewerSettings {
  @Setting({
    name: 'ACEXY_MAX_VIEWERS',
    type: 'integer',
    min: 0,
    max: MAX_VIEWERS,
    default: '0',
    help: `Maximum number of simultaneous viewers of all streams, HLS included; further ones get 503. ${NO_LIMIT}`,
  })
  maxViewers!: number;

  @Setting({
    name: 'ACEXY_MAX_VIEWERS_PER_STREAM',
    type: 'integer',
    min: 0,
    max: MAX_VIEWERS,
    default: '0',
    help: `Maximum number of simultaneous viewers of one stream; further ones get 503. ${NO_LIMIT}`,
  })
  maxViewersPerStream!: number;

  @Setting({
    name: 'ACEXY_SLOW_CLIENT',
    type: 'choice',
    choices: SLOW_CLIENT,
    default: 'skip',
    help: 'What happens to a viewer that is too slow for the stream: with `skip` it continues at a newer keyframe, with `drop` its connection is closed',
  })
  slowClient!: (typeof SLOW_CLIENT)[number];

  @Setting({
    name: 'ACEXY_MAX_SKIPS',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    default: '20',
    help: 'Maximum skips of a slow viewer; at the next one its connection is closed',
  })
  maxSkips!: number;

  @Setting({
    name: 'ACEXY_CLIENT_STALL',
    type: 'duration',
    default: '10m',
    min: '1ms',
    help: 'Time after which a viewer that takes no bytes is disconnected, for example a paused player',
  })
  clientStallMs!: number;

  @Setting({ name: 'ACEXY_LINGER', type: 'duration', default: '5s', help: 'Time that a stream continues after its last viewer has left' })
  lingerMs!: number;
}
