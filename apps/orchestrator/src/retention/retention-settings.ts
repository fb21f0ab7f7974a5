import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Stream history')
export class RetentionSettings {
  @Setting({
    name: 'STREAM_HISTORY_DAYS',
    type: 'number',
    min: 0.01,
    max: 3650,
    default: '30',
    help: 'Days that an ended stream is kept',
  })
  streamHistoryDays!: number;

  @Setting({
    name: 'STREAM_HISTORY_MAX',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: '10000',
    help: 'Maximum ended streams kept; the oldest are deleted first',
  })
  streamHistoryMax!: number;
}
