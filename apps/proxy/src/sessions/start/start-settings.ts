import { Setting, SettingsGroup } from '@acexy/service-kit';
import { HlsSettings } from '../../hls/hls-settings.js';

/** How a stream is begun. */
@SettingsGroup('Starts')
export class StartSettings extends HlsSettings {
  // Off by default: what is slow to begin is mostly slow everywhere, and the second engine is one less for the next viewer.
  @Setting({
    name: 'ACEXY_HEDGE_AFTER',
    type: 'duration',
    default: '0',
    help: 'An engine slower than this to its first packet gets a second, idle one beside it; the quicker one plays. For pools with engines to spare: 8s; 0: never',
  })
  hedgeAfterMs!: number;

  @Setting({
    name: 'ACEXY_ALTERNATIVE_AFTER',
    type: 'duration',
    default: '15s',
    help: 'How long a viewer that names alternatives (alt=…) waits for a content before it is given the next',
  })
  alternativeAfterMs!: number;
}
