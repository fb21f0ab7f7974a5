import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Stream statistics')
export class StatisticsSettings {
  @Setting({
    name: 'COLLECT_INTERVAL_S',
    type: 'seconds',
    min: 0.1,
    max: 3600,
    default: '5',
    help: 'Seconds between statistics polls of each engine',
  })
  collectIntervalMs!: number;

  @Setting({
    name: 'STATS_HISTORY_MAX',
    type: 'integer',
    min: 1,
    max: 100_000,
    default: '720',
    help: 'Maximum statistics snapshots kept per stream',
  })
  statsHistoryMax!: number;
}
