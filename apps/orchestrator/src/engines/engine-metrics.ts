import { HEALTH_STATUSES } from '@acexy/contracts';
import { metric } from '@acexy/service-kit';
import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { EngineRegistry } from './engine-registry.js';
import { LeaseService } from './lease.service.js';

/** Read at the scrape, from the instance that was made last: a process has one, tests make several. */
let source: { registry: EngineRegistry; leases: LeaseService } | null = null;

/** The pool in figures. */
@Injectable()
export class EngineMetrics {
  constructor(registry: EngineRegistry, leases: LeaseService) {
    source = { registry, leases };
    metric(
      'orch_engines_total',
      (name) => new Gauge({ name, help: 'Engines by health', labelNames: ['health_status'], collect: collectEngines }),
    );
    metric('orch_leases_active', (name) => new Gauge({ name, help: 'Leases in force', collect: collectLeases }));
    metric('orch_leases_waiting', (name) => new Gauge({ name, help: 'Callers who wait for an engine', collect: collectWaiting }));
  }
}

function collectEngines(this: Gauge<'health_status'>): void {
  const engines = source?.registry.all() ?? [];
  for (const status of HEALTH_STATUSES) this.set({ health_status: status }, engines.filter((engine) => engine.health === status).length);
}

function collectLeases(this: Gauge): void {
  this.set(source?.leases.leaseCount ?? 0);
}

function collectWaiting(this: Gauge): void {
  this.set(source?.leases.waitingCount ?? 0);
}
