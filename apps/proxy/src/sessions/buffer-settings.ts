import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit/settings';
import { type BroadcastSettings, DEFAULT_BROADCAST_SETTINGS } from '../broadcast/broadcast.js';
import type { ViewerSettings } from './viewer-settings.js';

const JOIN_MODES = ['keyframe', 'live', 'oldest'] as const;

/** What is kept of a stream, and how it is sent to viewers. */
@SettingsGroup('Stream buffer')
export class BufferSettings {
  @Setting({
    name: 'ACEXY_BUFFER_MAX',
    type: 'size',
    default: '32MiB',
    help: 'Maximum bytes of one stream kept for viewers that join or are slow',
  })
  bufferMaxBytes!: number;

  @Setting({
    name: 'ACEXY_BUFFER_TOTAL_MAX',
    type: 'size',
    min: '16MiB',
    help: 'Maximum bytes of all streams kept, HLS segments included; divided by bit rate and viewers. A stream that does not fit gets 503. By default a quarter of the memory of the container or machine, at most 512MiB',
  })
  bufferTotalBytes?: number;

  @Setting({
    name: 'ACEXY_BUFFER',
    aliases: ['ACEXY_BUFFER_SIZE'],
    type: 'size',
    default: '4.2MiB',
    help: 'Lower bound of `ACEXY_BUFFER_MAX`: a smaller `ACEXY_BUFFER_MAX` is raised to it. Unlike in acexy, viewers do not wait until this buffer is full',
  })
  bufferMinBytes!: number;

  @Setting({
    name: 'ACEXY_BUFFER_SECONDS',
    type: 'number',
    min: 2,
    max: 600,
    default: '60',
    help: 'Maximum seconds of one stream kept',
  })
  bufferSeconds!: number;

  @Setting({
    name: 'ACEXY_STEP_SIZE',
    type: 'size',
    default: '256KiB',
    min: '4KiB',
    help: 'Maximum size of a chunk: the live edge is written to viewers in chunks of this size or of `ACEXY_STEP_TIME`, whichever comes first',
  })
  chunkBytes!: number;

  @Setting({ name: 'ACEXY_STEP_TIME', type: 'duration', default: '250ms', min: '1ms', help: 'Maximum time that a chunk collects bytes' })
  chunkMs!: number;

  @Setting({
    name: 'ACEXY_JOIN',
    type: 'choice',
    choices: JOIN_MODES,
    default: 'keyframe',
    help: 'Where a viewer joins the stream: `keyframe`, at a keyframe `ACEXY_JOIN_SECONDS` back; `live`, at the newest one; `oldest`, at the oldest one',
  })
  joinMode!: (typeof JOIN_MODES)[number];

  @Setting({
    name: 'ACEXY_JOIN_SECONDS',
    type: 'number',
    min: 0,
    max: 60,
    default: '1',
    help: 'Seconds of stream that a joining viewer receives at once; set 5 if viewers are restreamers based on ffmpeg',
  })
  joinSeconds!: number;

  faults(): SettingFault[] {
    if (this.bufferMaxBytes >= 4 * this.chunkBytes) return [];
    const problem = 'must be at least four times ACEXY_STEP_SIZE';
    const instead = { name: 'ACEXY_BUFFER_MAX', value: String(4 * this.chunkBytes) };
    return [{ name: 'ACEXY_BUFFER_MAX', value: String(this.bufferMaxBytes), problem, instead }];
  }
}

export function broadcastSettings(buffer: BufferSettings, viewers: ViewerSettings): BroadcastSettings {
  return {
    ...DEFAULT_BROADCAST_SETTINGS,
    maxBytes: Math.max(buffer.bufferMaxBytes, buffer.bufferMinBytes),
    maxSeconds: buffer.bufferSeconds,
    chunkBytes: buffer.chunkBytes,
    chunkMs: buffer.chunkMs,
    joinSeconds: buffer.joinSeconds,
    joinMode: buffer.joinMode,
    slowClient: viewers.slowClient,
    maxSkips: viewers.maxSkips,
    maxWriteMs: viewers.clientStallMs,
  };
}
