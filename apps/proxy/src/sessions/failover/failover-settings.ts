import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit';

/** When a source counts as lost, and how another engine is searched for. */
@SettingsGroup('Failover')
export class FailoverSettings {
  @Setting({
    name: 'ACEXY_STALL_TIMEOUT',
    type: 'duration',
    min: '1ms',
    help: 'Silence after which a playing stream counts as lost; by default adaptive, 5 to 10 s (10 to 15 s below 1.5 Mb/s). After half of it a standby engine is leased',
  })
  stallTimeoutMs?: number;

  @Setting({
    name: 'ACEXY_EMPTY_TIMEOUT',
    type: 'duration',
    default: '1m',
    help: 'Time that viewers of a lost stream are kept without bytes while another engine is searched for; 0: they end at once',
  })
  emptyTimeoutMs!: number;

  @Setting({
    name: 'ACEXY_FAILOVER_BACKOFF',
    type: 'duration',
    default: '250ms',
    min: '1ms',
    help: 'Pause before the second engine is tried for a lost stream; it doubles with each further engine',
  })
  failoverPauseMs!: number;

  @Setting({ name: 'ACEXY_FAILOVER_BACKOFF_MAX', type: 'duration', default: '5s', help: 'Maximum of that pause' })
  failoverPauseMaxMs!: number;

  faults(): SettingFault[] {
    if (this.failoverPauseMaxMs >= this.failoverPauseMs) return [];
    const value = `${this.failoverPauseMaxMs}ms`;
    return [{ name: 'ACEXY_FAILOVER_BACKOFF_MAX', value, problem: 'must not be less than ACEXY_FAILOVER_BACKOFF' }];
  }
}
