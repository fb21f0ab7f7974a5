import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

/** How streams are cut into HLS segments, and how long segments are kept. */
@SettingsGroup('HLS')
export class HlsSettings {
  @Setting({
    name: 'ACEXY_M3U8',
    type: 'boolean',
    default: 'false',
    help: 'Whether `/ace/getstream` answers with an HLS playlist instead of MPEG-TS',
  })
  m3u8!: boolean;

  @Setting({
    name: 'ACEXY_M3U8_STREAM_TIMEOUT',
    type: 'duration',
    default: '60s',
    min: '1ms',
    help: 'Time without a request after which an HLS viewer counts as gone; also the time limit for the download of one segment',
  })
  m3u8StreamTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_HLS_SEGMENT',
    type: 'duration',
    default: '4s',
    min: '1s',
    max: '12s',
    help: 'Maximum length of a segment, in whole seconds; longer only if keyframes are farther apart',
  })
  hlsSegmentMs!: number;

  @Setting({
    name: 'ACEXY_HLS_BUFFER_MAX',
    type: 'size',
    default: '64MiB',
    min: '1MiB',
    help: 'Maximum bytes of HLS segments kept per stream; up to twice as much if the playlist would otherwise have too few segments. Bytes that are also in the stream buffer are not stored twice',
  })
  hlsBufferMaxBytes!: number;
}
