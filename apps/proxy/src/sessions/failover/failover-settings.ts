import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit/settings';

/** When a source counts as lost, and how another engine is searched for. */
@SettingsGroup('Failover')
export class FailoverSettings {
  @Setting({
    name: 'ACEXY_STALL_TIMEOUT',
    type: 'duration',
    min: '1ms',
    help: 'Time without bytes after which a playing stream counts as lost. By default it adapts to the stream: 5 to 10 s, or 10 to 15 s below 1.5 Mb/s; after an engine has delivered much at once, 2.5 s after that has been played. After half of it a standby engine is leased',
  })
  stallTimeoutMs?: number;

  @Setting({
    name: 'ACEXY_EMPTY_TIMEOUT',
    type: 'duration',
    default: '1m',
    help: 'Maximum time that viewers of a lost stream wait without bytes while another engine is searched for; 0: they are disconnected at once',
  })
  emptyTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_FAILOVER_BACKOFF',
    type: 'duration',
    default: '250ms',
    min: '1ms',
    help: 'Pause before the second engine is tried for a lost stream; it doubles before each further engine',
  })
  failoverPauseMs!: number;

  @Setting({
    name: 'ACEXY_FAILOVER_BACKOFF_MAX',
    type: 'duration',
    default: '5s',
    help: 'Maximum pause before another engine is tried for a lost stream',
  })
  failoverPauseMaxMs!: number;

  faults(): SettingFault[] {
    if (this.failoverPauseMaxMs >= this.failoverPauseMs) return [];
    const value = `${this.failoverPauseMaxMs}ms`;
    const instead = { name: 'ACEXY_FAILOVER_BACKOFF_MAX', value: `${this.failoverPauseMs}ms` };
    return [{ name: 'ACEXY_FAILOVER_BACKOFF_MAX', value, problem: 'must not be less than ACEXY_FAILOVER_BACKOFF', instead }];
  }
}
