import { CIRCUIT_STATES } from '@acexy/contracts';
import { metric } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { ProvisioningService } from '../provisioning/provisioning.service.js';

/** Read at the scrape, from the instance that was made last: a process has one, tests make several. */
let source: ProvisioningService | null = null;

/** `orch_circuit_state{state}`: 1 for the state the breaker is in, as published dashboards read it. */
@Injectable()
export class CircuitMetrics {
  constructor(provisioning: ProvisioningService) {
    source = provisioning;
    metric('orch_circuit_state', (name) => new Gauge({ name, help: '1 for the present state', labelNames: ['state'], collect }));
  }
}

function collect(this: Gauge<'state'>): void {
  const present = source?.circuit().state;
  for (const state of CIRCUIT_STATES) this.set({ state }, state === present ? 1 : 0);
}
