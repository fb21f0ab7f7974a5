import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

/** How a stream is started. */
@SettingsGroup('Stream start')
export class StartSettings {
  @Setting({
    name: 'ACEXY_NO_RESPONSE_TIMEOUT',
    type: 'duration',
    default: '20s',
    min: '1ms',
    help: 'Maximum time until an engine replies to a start request',
  })
  noResponseTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_FIRST_BYTE_TIMEOUT',
    type: 'duration',
    default: '30s',
    min: '1ms',
    help: 'Maximum time from the reply to a start request until the first packet of the stream',
  })
  firstByteTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_START_TIMEOUT',
    type: 'duration',
    default: '60s',
    min: '1ms',
    help: 'Maximum time for the start of a stream: the wait for a free engine, which ends 5 seconds (at most a quarter) before it, plus the attempts on all engines',
  })
  startTimeoutMs!: number;

  // Off by default: content that starts slowly mostly starts slowly everywhere, and the second engine is missing for the next viewer.
  @Setting({
    name: 'ACEXY_HEDGE_AFTER',
    type: 'duration',
    default: '0',
    help: 'Time without a first packet after which the stream is also started on a second, idle engine; the faster one plays. 8s suits pools with spare engines; 0: off',
  })
  hedgeAfterMs!: number;

  @Setting({
    name: 'ACEXY_ALTERNATIVE_AFTER',
    type: 'duration',
    default: '15s',
    min: '1ms',
    help: 'Time that a viewer with alternatives (`alt=…`) waits for one content before the next one is tried',
  })
  alternativeAfterMs!: number;
}
