import { Module } from '@nestjs/common';
import { EnginesModule } from '../engines/engines.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { VpnRollout } from './vpn-rollout.service.js';
import { VpnSlots } from './vpn-slots.service.js';
import { VpnController } from './vpn.controller.js';
import { VpnMetrics } from './vpn-metrics.js';
import { VpnService } from './vpn.service.js';
import { VpnWatcher } from './vpn-watcher.service.js';

/** VPN containers: their status and forwarded ports, and the engines behind them. */
@Module({
  imports: [EnginesModule, LeasesModule, RuntimeModule],
  controllers: [VpnController],
  providers: [VpnService, VpnMetrics, VpnWatcher, VpnSlots, VpnRollout],
  exports: [VpnService, VpnWatcher, VpnSlots],
})
export class VpnModule {}
