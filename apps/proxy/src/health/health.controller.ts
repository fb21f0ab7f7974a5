import { Controller, Get, Inject } from '@nestjs/common';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import { HealthCheck, type HealthCheckResult, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { OrchestratorLink } from '../selection/orchestrator-link.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { ORCHESTRATOR_CLIENT } from '../selection/injection-tokens.js';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly registry: SessionRegistry,
    private readonly link: OrchestratorLink,
    @Inject(ORCHESTRATOR_CLIENT) private readonly client: OrchestratorClient | null,
  ) {}

  /** For liveness probes: depends on nothing outside the process. */
  @Get()
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.indicators.check('proxy').up()]);
  }

  /** Ready while new viewers are accepted. An unreachable orchestrator is reported but does not make the proxy unready: streams play without it. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    const viewers = this.indicators.check('viewers');
    return this.health.check([
      () => (this.registry.closing ? viewers.down('shutting down') : viewers.up()),
      () =>
        this.indicators
          .check('orchestrator')
          .up({ state: this.client === null ? 'not set' : this.link.unreachable ? 'away' : 'reachable' }),
    ]);
  }
}
