import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit';
import { ViewerSettings } from '../playback/viewer-settings.js';

const LEAST_BUFFER_BYTES = 1024 * 1024;

/** How streams are cut into segments, and for how long they are. */
@SettingsGroup('HLS')
export class HlsSettings extends ViewerSettings {
  @Setting({ name: 'ACEXY_M3U8', type: 'boolean', default: 'false', help: 'getstream answers the HLS playlist, too' })
  m3u8!: boolean;

  @Setting({
    name: 'ACEXY_M3U8_STREAM_TIMEOUT',
    type: 'duration',
    default: '60s',
    help: 'A viewer of HLS that has asked for nothing for so long is gone; a segment must be taken in that time',
  })
  m3u8StreamTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_HLS_SEGMENT',
    type: 'duration',
    default: '4s',
    help: 'Most stream in a segment, in whole seconds; more only where keyframes are farther apart',
  })
  hlsSegmentMs!: number;

  @Setting({
    name: 'ACEXY_HLS_BUFFER_MAX',
    type: 'size',
    default: '64MiB',
    help: 'Most bytes of segments kept for a stream; up to twice where three target durations need it. What the ring holds too costs nothing more',
  })
  hlsBufferMaxBytes!: number;

  protected hlsFaults(): SettingFault[] {
    const faults: SettingFault[] = [];
    if (this.hlsSegmentMs < 1000 || this.hlsSegmentMs > 12_000)
      faults.push({ name: 'ACEXY_HLS_SEGMENT', value: `${this.hlsSegmentMs}ms`, problem: 'must be from 1s to 12s' });
    if (this.hlsBufferMaxBytes < LEAST_BUFFER_BYTES)
      faults.push({ name: 'ACEXY_HLS_BUFFER_MAX', value: String(this.hlsBufferMaxBytes), problem: 'must be at least 1MiB' });
    return faults;
  }
}
