import { CIRCUIT_STATES } from '@acexy/contracts';
import { readGauge } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { ProvisioningService } from './provisioning.service.js';

/** What provisioning says of itself: `orch_circuit_state{state}` is 1 for the state the breaker is in, as published dashboards read it. */
@Injectable()
export class CircuitMetrics {
  constructor(provisioning: ProvisioningService) {
    readGauge('orch_circuit_state', '1 for the present state', ['state'], (set) => {
      const present = provisioning.circuit().state;
      for (const state of CIRCUIT_STATES) set(state === present ? 1 : 0, { state });
    });
    readGauge('orch_provision_queue', 'Provisions that wait for their turn or are under way', ['state'], (set) => {
      const { queued, in_progress: inProgress } = provisioning.status();
      set(queued, { state: 'waiting' });
      set(inProgress, { state: 'in_progress' });
    });
    readGauge('orch_provision_remaining', 'Provisions that could be started at once', [], (set) => set(provisioning.status().remaining));
  }
}
